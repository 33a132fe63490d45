package firewall

import (
	"molo/internal/resource"
)

// Verdict is what becomes of a packet.
type Verdict string

// The verdicts.
const (
	Pass   Verdict = "pass"   // not molo's business
	Docker Verdict = "docker" // sent by a container: Docker decides
	Allow  Verdict = "allow"
	Limit  Verdict = "limit"  // allowed, but for the sixth connection of a source within 30 s, as in UFW
	Reject Verdict = "reject" // refused with a TCP reset or an ICMP error
	Deny   Verdict = "deny"   // dropped

	// next leads on to the next list of a Family; it never leaves this package.
	next Verdict = "next"
)

// Rule says what becomes of the packets that match and that no earlier rule of its
// list has decided on.
type Rule struct {
	Match   Match
	Verdict Verdict
	Log     bool
	Why     string // "ufw: allow 8080/tcp", `policies.hcl:14 publish "metrics"`
}

// Family is the program of one address family: three lists, each of which decides
// on every packet that it is handed.
type Family struct {
	Family resource.Family
	From   []Rule // where packets come from: existing connections and containers are done with
	To     []Rule // where they go to: all that is not addressed to a container is done with
	In     []Rule // who may reach containers
	Host   []Rule // what is sent to the host itself and is not UFW's to say
	Quiet  bool   // connections over a limit are not logged
}

// Program is the whole of what molo loads into the kernel, as data.
type Program struct {
	Families []Family // IPv4, then IPv6; none when the policy has no block firewall
	Findings []Finding
	// Keep says that rules which are loaded already stay, whatever they are.
	Keep bool
	// Nftables says that Docker filters with tables of its own (the firewall-backend
	// of Docker 29) and has no DOCKER-USER.
	Nftables bool
}

// Rules renders the program, in the order in which it has to be committed: IPv4
// before IPv6, in each the guard before the filter, and last what only some programs need.
func (p *Program) Rules() []resource.Rules { return p.rules(usualShape()) }

func (p *Program) rules(s shape) []resource.Rules {
	var all []resource.Rules
	for _, f := range p.Families {
		all = append(all, guardLayout().rules(f, s), filterLayout(p.Nftables).rules(f, s))
		if f.needsLast() {
			all = append(all, lastLayout().rules(f, s))
		}
	}
	return all
}
