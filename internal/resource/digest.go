package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// Digest returns 12 hexadecimal digits that stand for the chains' names and rules.
// What the rules are for (Rule.Why) does not count.
func Digest(chains []Chain) string {
	sum := sha256.New()
	for _, c := range chains {
		fmt.Fprintf(sum, ":%s\n", c.Name)
		for _, r := range c.Rules {
			fmt.Fprintf(sum, "%s\n", r.Spec)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// Generation returns 12 hexadecimal digits that stand for the names and contents
// of a tree's files.
func Generation(files map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%q %d\n", name, len(files[name]))
		sum.Write(files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
