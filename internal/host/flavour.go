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
	if err != nil || usual.docker() || !legacyTables(family) {
		return usual, err
	}
	for _, flavour := range []string{"-nft", "-legacy"} {
		if _, err := exec.LookPath(ruleset{family: family, flavour: flavour}.tool("save")); err != nil {
			continue // not installed: nobody has used it
		}
		other, err := h.saveAs(ctx, family, flavour)
		if err != nil || other.docker() {
			return other, err
		}
	}
	return usual, nil
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
