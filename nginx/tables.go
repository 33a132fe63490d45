package nginx

import (
	"errors"
	"fmt"
	"strconv"

	"molo/internal/policy"
)

// table is the size of one of nginx's tables that the default is too small for.
type table struct {
	directive string
	size      int
}

// hashTables returns the sizes that the sites' names and variables need. nginx does
// not start when a name does not fit into a bucket, and warns when it cannot spread
// the names.
//
// These directives may stand only once, and many hosts have them already, so they
// are set only where needed and where the owner has not. The error names the
// owner's line when the value there is too small.
func hashTables(sites []*policy.Site, foreign foreign) ([]table, error) {
	longest, count := len(GenerationHost), 0
	for _, s := range sites {
		for _, name := range namesOf(s) {
			longest = max(longest, len(name))
			count++
		}
	}
	var needs []table
	needs = append(needs, sizeTable("server_names_hash", longest, count, 32, 512)...)
	needs = append(needs, sizeTable("variables_hash", longestVariable, variablesOf(sites), 16, 1024)...)
	var out []table
	var errs []error
	for _, need := range needs {
		yields, err := foreign.yields(need)
		errs = append(errs, err)
		if !yields {
			out = append(out, need)
		}
	}
	return out, errors.Join(errs...)
}

// namesOf lists all names that lead to a site.
func namesOf(s *policy.Site) []string { return append([]string{s.Name.V}, s.RedirectFrom.V...) }

// longestVariable is the length of the longest name of a variable of a site's.
const longestVariable = len("molo_0123456789ab_trusted")

// variablesOf counts the variables that the sites define.
func variablesOf(sites []*policy.Site) int {
	n := 0
	for _, s := range sites {
		if trusted(s) {
			n += 3
		}
		for _, r := range s.Routes() {
			for _, h := range r.Headers {
				if h.UpstreamWins {
					n++
				}
			}
		}
	}
	return n
}

// sizeTable computes the two sizes of a table for a number of names, from
// ngx_hash_init of 1.18 to 1.31: an element is a pointer and the name with two
// bytes more, rounded up to whole pointers, and a bucket ends with one pointer. With
// eight times as many buckets as names and four places in each, some size below the
// maximum always spreads them. Up to a few names that fit, the defaults hold.
func sizeTable(name string, longest, names, few, size int) []table {
	const pointer, bucket = 8, 64 // on amd64
	element := pointer + (longest+2+pointer-1)/pointer*pointer
	if element+pointer <= bucket && names <= few {
		return nil
	}
	return []table{{name + "_bucket_size", power(4*element+pointer, bucket)}, {name + "_max_size", power(8*names, size)}}
}

// power returns the first of least, 2*least, 4*least … that is at least n.
func power(n, least int) int {
	for least < n {
		least *= 2
	}
	return least
}

// yields reports whether the owner has set a table's size, to enough.
func (f foreign) yields(need table) (bool, error) {
	d, ok := f.settings[need.directive]
	if !ok {
		return false, nil
	}
	if have, err := strconv.Atoi(d.args[0]); err != nil || have < need.size {
		return true, fmt.Errorf("%s sets %s to %s and the sites need %d: remove it there, or raise it", d, need.directive, d.args[0], need.size)
	}
	return true, nil
}
