package firewall

import (
	"fmt"

	"molo/internal/resource"
)

// unsealed stands in the place of a digest while the digest is computed.
const unsealed = "000000000000"

// sealSpec is the comment with which the first rule of the first chain begins:
// whoever reads the kernel's rules finds there which program they are.
func sealSpec(digest string) string { return fmt.Sprintf(`-m comment --comment "molo:%s" `, digest) }

// seal puts the digest of the chains into their first rule and returns it. It is
// the resource.Digest of the chains with 000000000000 in its own place.
func seal(chains []resource.Chain) string {
	first := &chains[0].Rules[0]
	match := first.Spec
	first.Spec = sealSpec(unsealed) + match
	digest := resource.Digest(chains)
	first.Spec = sealSpec(digest) + match
	return digest
}
