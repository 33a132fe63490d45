package firewall

import (
	"encoding/json"
	"slices"

	"molo/internal/facts"
)

// besides names what works on the same packets beside UFW and Docker.
func besides(d facts.Docker) []Finding {
	if !d.Effective.Firewalld {
		return nil
	}
	return []Finding{{
		Where: "Docker", What: "dockerd works through firewalld, which flushes molo's rules whenever it reloads and accepts what Docker publishes in tables of its own",
		Hint: "systemctl disable --now firewalld && systemctl restart docker",
	}}
}

// nftables reports whether Docker filters with nftables itself, which it can since
// version 29. A daemon that does not run is judged by what it will start with, so
// that the rules do not change with every stop of it. (dockerd refuses to start
// when flag and file differ, so their order does not matter.)
func nftables(d facts.Docker) bool {
	if d.Effective.FirewallBackend != "" {
		return d.Effective.FirewallBackend == "nftables"
	}
	if slices.Contains(d.Flags, "--firewall-backend=nftables") {
		return true
	}
	if i := slices.Index(d.Flags, "--firewall-backend"); i >= 0 && i+1 < len(d.Flags) {
		return d.Flags[i+1] == "nftables"
	}
	var config struct {
		Backend string `json:"firewall-backend"`
	}
	// A file that dockerd can't read starts no daemon at all.
	return json.Unmarshal([]byte(d.Config), &config) == nil && config.Backend == "nftables"
}
