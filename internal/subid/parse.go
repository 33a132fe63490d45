// Package subid knows subordinate ids: which ids of the host stand for the users and
// groups of containers, as /etc/subuid and /etc/subgid say and as dockerd's
// userns-remap uses them, and what becomes of an id that moves in or out of them.
package subid

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Where the ranges and the accounts of a host stand.
const (
	UIDFile    = "/etc/subuid"
	GIDFile    = "/etc/subgid"
	UsersFile  = "/etc/passwd"
	GroupsFile = "/etc/group"
)

// Range is one line of /etc/subuid or /etc/subgid: ids that belong to a user.
type Range struct {
	Owner string // a user's name, or number; in /etc/subgid too
	First uint32
	Count uint32 // at least 1
	Line  int
}

// Last is the range's last id.
func (r Range) Last() uint32 { return r.First + (r.Count - 1) }

func (r Range) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last()) }

func (r Range) overlaps(o Range) bool { return r.First <= o.Last() && o.First <= r.Last() }

// File is what /etc/subuid or /etc/subgid says.
type File struct {
	Path   string
	Ranges []Range
	Bad    []Problem // lines that say nothing
}

// Problem is something wrong with a file, and as such an error.
type Problem struct {
	Where string `json:"where"` // "/etc/subuid:3"
	What  string `json:"what"`
}

// Error says where and what.
func (p Problem) Error() string { return p.Where + ": " + p.What }

// Parse reads /etc/subuid or /etc/subgid (subuid(5)).
func Parse(path, text string) File {
	f := File{Path: path}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRange(line)
		if err != nil {
			f.Bad = append(f.Bad, Problem{place(path, number), err.Error()})
			continue
		}
		r.Line = number
		f.Ranges = append(f.Ranges, r)
	}
	return f
}

func place(path string, line int) string { return fmt.Sprintf("%s:%d", path, line) }

func parseRange(line string) (Range, error) {
	fields := strings.Split(line, ":")
	if len(fields) != 3 || fields[0] == "" {
		return Range{}, fmt.Errorf("%q is not NAME:FIRST:COUNT", line)
	}
	first, err1 := strconv.ParseUint(fields[1], 10, 32)
	count, err2 := strconv.ParseUint(fields[2], 10, 32)
	if err1 != nil || err2 != nil || count == 0 {
		return Range{}, fmt.Errorf("%q is not NAME:FIRST:COUNT", line)
	}
	// The last 32-bit number is no id: chown(2) takes it for "unchanged".
	if first+count > math.MaxUint32 {
		return Range{}, fmt.Errorf("%q goes beyond the last id there is", line)
	}
	return Range{Owner: fields[0], First: uint32(first), Count: uint32(count)}, nil
}

// Account is a user or a group of the host.
type Account struct {
	Name string
	ID   uint32
	Home string // of a user
}

// ParseAccounts reads /etc/passwd or /etc/group. Lines that name nobody are left out.
func ParseAccounts(text string) []Account {
	var all []Account
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		id, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			continue
		}
		a := Account{Name: fields[0], ID: uint32(id)}
		if len(fields) >= 7 {
			a.Home = fields[5]
		}
		all = append(all, a)
	}
	return all
}
