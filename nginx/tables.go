package nginx

import (
	"fmt"
	"strconv"

	"molo/internal/policy"
)

// tables are the sizes of nginx's table of server names; zero keeps nginx's default.
type tables struct{ bucket, max int }

// hashTables returns the sizes the sites' names need. nginx does not start when a
// name does not fit into a bucket, and warns when it cannot spread the names.
//
// Both directives may stand only once, and many hosts have them already, so they
// are set only where needed and where the owner has not. The error names the
// owner's line when the value there is too small.
func hashTables(sites []*policy.Site, foreign foreign) (tables, error) {
	longest := len("generation." + reserved)
	for _, s := range sites {
		longest = max(longest, len(s.Name.V))
	}
	need := sizeTables(longest, len(sites))
	var err error
	if need.bucket, err = foreign.yield("server_names_hash_bucket_size", need.bucket); err != nil {
		return tables{}, err
	}
	need.max, err = foreign.yield("server_names_hash_max_size", need.max)
	return need, err
}

// sizeTables computes the sizes for a number of names, from ngx_hash_init of
// 1.18 to 1.31: an element is a pointer and the name with two bytes more, rounded
// up to whole pointers, and a bucket ends with one pointer. With eight times as
// many buckets as names and four places in each, some size below the maximum
// always spreads them.
func sizeTables(longest, names int) tables {
	const pointer, bucket, size, few = 8, 64, 512, 32 // nginx's defaults on amd64, and when they hold
	element := pointer + (longest+2+pointer-1)/pointer*pointer
	if element+pointer <= bucket && names <= few {
		return tables{}
	}
	return tables{bucket: power(4*element+pointer, bucket), max: power(8*names, size)}
}

// power returns the first of least, 2*least, 4*least … that is at least n.
func power(n, least int) int {
	for least < n {
		least *= 2
	}
	return least
}

// yield returns zero where the owner has set the directive to enough.
func (f foreign) yield(name string, need int) (int, error) {
	d, ok := f.settings[name]
	if !ok || need == 0 {
		return need, nil
	}
	if have, err := strconv.Atoi(d.args[0]); err != nil || have < need {
		return 0, fmt.Errorf("%s sets %s to %s and the sites need %d: remove it there, or raise it", d, name, d.args[0], need)
	}
	return 0, nil
}
