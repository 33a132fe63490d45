package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"molo/internal/resource"
)

// ruleset is all tables of a family, in one of the two flavours of iptables: their
// rules don't see each other, and a packet has to pass both.
type ruleset struct {
	family  resource.Family
	flavour string // "": what "iptables" is on this host; else "-nft" or "-legacy"
	saved   saved
	other   *ruleset // the other flavour, where that has tables
}

// tool returns iptables-save, ip6tables-legacy-restore and the like.
func (r ruleset) tool(verb string) string {
	return string(r.family) + "tables" + r.flavour + "-" + verb
}

// docker reports whether Docker's own chains are here.
func (r ruleset) docker() bool { return r.saved["filter"].has("DOCKER") }

// save reads all tables of a family, of the flavour in which Docker's own chains
// are: rules of ours in the other one would filter, but no rule there could let
// through what Docker's side drops, nor return to DOCKER-USER. One process does on
// hosts without tables of iptables-legacy, which are all but old or mixed ones.
func (h *Host) save(ctx context.Context, family resource.Family) (ruleset, error) {
	usual, err := h.saveAs(ctx, family, "")
	if err != nil || !legacyTables(family) {
		return usual, err
	}
	own, other, err := h.flavours(ctx, family)
	if err != nil {
		return usual, err
	}
	if _, err := exec.LookPath(ruleset{family: family, flavour: other}.tool("save")); err != nil {
		return usual, nil // not installed: nobody has used it
	}
	second, err := h.saveAs(ctx, family, other)
	if err != nil {
		return usual, err
	}
	// Docker uses what "iptables" is; chains of its own in the other flavour are left from
	// before that was changed.
	if !usual.docker() && second.docker() {
		first := usual
		first.flavour = own
		second.other = &first
		return second, nil
	}
	usual.other = &second
	return usual, nil
}

// flavours says which flavour "iptables" is, and which it is not.
func (h *Host) flavours(ctx context.Context, family resource.Family) (own, other string, err error) {
	out, err := h.exec(ctx, nil, string(family)+"tables", "--version")
	if err != nil {
		return "", "", fmt.Errorf("asking for the flavour of %stables: %w", family, err)
	}
	if strings.Contains(string(out), "legacy") {
		return "-legacy", "-nft", nil
	}
	return "-nft", "-legacy", nil
}

// elsewhere reports whether chains of ours are left in the other flavour.
func (r ruleset) elsewhere(name string) bool {
	return r.other != nil && len(r.other.saved[name].own()) > 0
}

// clear takes away what is left of ours in the other flavour.
func (h *Host) clear(ctx context.Context, r ruleset) error {
	if r.other == nil {
		return nil
	}
	var payload strings.Builder
	for name, table := range r.other.saved {
		if len(table.own()) > 0 {
			payload.WriteString(restoreText(name, table, resource.Rules{}, nil))
		}
	}
	if payload.Len() == 0 {
		return nil
	}
	if _, err := h.exec(ctx, []byte(payload.String()), r.other.tool("restore"), "--noflush", "-w", "5"); err != nil {
		return fmt.Errorf("taking away what is left in %s: %w", r.other.tool("save"), err)
	}
	return nil
}

func (h *Host) saveAs(ctx context.Context, family resource.Family, flavour string) (ruleset, error) {
	r := ruleset{family: family, flavour: flavour}
	out, err := h.exec(ctx, nil, r.tool("save"))
	if err != nil {
		if strings.Contains(err.Error(), "Permission denied") {
			err = fs.ErrPermission
		}
		return r, fmt.Errorf("reading the %stables rules: %w", family, err)
	}
	r.saved = parseSave(string(out))
	return r, nil
}

// legacyTables reports whether the kernel holds tables of iptables-legacy.
func legacyTables(family resource.Family) bool {
	names, err := os.ReadFile("/proc/net/" + string(family) + "_tables_names")
	return err == nil && len(names) > 0
}
