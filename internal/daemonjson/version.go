package daemonjson

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a release of Docker Engine. Patch releases take the same daemon.json.
// The zero Version is one that is not known.
type Version struct{ Major, Minor int }

// ParseVersion reads what dockerd or its package says of itself: "20.10.24+dfsg1",
// "v28.5.2", "17.06.0-ce".
func ParseVersion(s string) (Version, error) {
	parts := regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:[.+~-].*)?$`).FindStringSubmatch(s)
	if parts == nil {
		return Version{}, fmt.Errorf("%q is not a version of Docker, such as 20.10.24 or 28.5.2", s)
	}
	major, _ := strconv.Atoi(parts[1]) // at most four digits: nothing can go wrong
	minor, _ := strconv.Atoi(parts[2])
	return Version{major, minor}, nil
}

// String writes a version as Docker does: 20.10, 28.5; and 17.06, of the years in
// which the minor number was a month.
func (v Version) String() string {
	if v.Major == 17 || v.Major == 18 || v.Major == 19 {
		return fmt.Sprintf("%d.%02d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// Before reports whether v is older than other.
func (v Version) Before(other Version) bool { return v.compare(other) < 0 }

func (v Version) compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor))
}

// Newest is the last release whose keys the table has. What a later one takes
// besides is not known.
func Newest() Version { return Version{29, 7} }

// releases lists, oldest first, the releases of Docker with which something changed
// about daemon.json, from the oldest that molo meets on.
func releases() []Version {
	return []Version{
		{20, 10}, {23, 0}, {24, 0}, {25, 0}, {26, 0}, {27, 0}, {28, 0}, {28, 2}, {29, 0}, {29, 2}, Newest(),
	}
}
