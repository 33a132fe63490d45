package firewall

import (
	"slices"
	"strings"

	"molo/internal/resource"
)

// layout is how the program is laid into one table.
type layout struct {
	table   string
	hooks   []resource.Hook
	chain   string             // first of the chains, and prefix of the others' names
	targets map[Verdict]string // but for those that are several rules: Limit
	refuses bool               // REJECT is possible
	silent  bool               // another table logs
	counts  string             // how a Limit counts: the name of its list
	over    string             // and what it does over the limit
}

// filterLayout hooks into DOCKER-USER. RETURN goes back there, where the rules of
// others (fail2ban's, the owner's) follow, and on to Docker's own.
//
// Docker hooks DOCKER-USER into FORWARD at every start; but for IPv6 never before
// version 23, and before version 27 only with ip6tables, which is off unless asked
// for. So molo sees to it that it is hooked before what Docker accepts.
//
// With Docker's nftables backend there is no DOCKER-USER, and a packet that the
// filter table does not accept meets UFW's policy for FORWARD, which drops it. So
// what may pass is accepted there; Docker's own tables still have their say.
func filterLayout(nftables bool) layout {
	l := layout{
		table: "filter", chain: "MOLO", refuses: true, counts: "MOLO", over: "--seconds 30 --hitcount 6 -g MOLO-LIMIT",
		hooks: []resource.Hook{
			{From: "DOCKER-USER", To: "MOLO"},
			{From: "FORWARD", To: "DOCKER-USER", Place: resource.BeforeDocker},
		},
		targets: map[Verdict]string{Pass: "-j RETURN", Docker: "-j RETURN", Allow: "-j RETURN", Deny: "-j DROP"},
	}
	if nftables {
		l.hooks = []resource.Hook{{From: "FORWARD", To: "MOLO"}}
		l.targets[Docker], l.targets[Allow] = "-j ACCEPT", "-j ACCEPT"
	}
	return l
}

// guardLayout hooks into FORWARD of the mangle table, which Docker never touches
// and UFW only with MANAGE_BUILTINS=yes. It comes before the filter, where a DROP would
// make silence of what the filter refuses; REJECT is illegal there. So that and limits
// are left to the filter and to what comes last.
func guardLayout() layout {
	back := "-j RETURN"
	return layout{
		table: "mangle", chain: "MOLO-GUARD",
		hooks:   []resource.Hook{{From: "FORWARD", To: "MOLO-GUARD"}},
		targets: map[Verdict]string{Pass: back, Docker: back, Allow: back, Limit: back, Reject: back, Deny: "-j DROP"},
	}
}

// lastLayout hooks into FORWARD of the security table, behind the filter: what UFW rejects
// or limits and still gets there has met no filter of molo's, and is dropped. Docker and
// UFW never touch this table. A limit has a list of its own here, in which those count
// that the filter let through; a second of slack, or else the last tick of the clock could
// stop one of them.
func lastLayout() layout {
	back := "-j RETURN"
	return layout{
		table: "security", chain: "MOLO-LAST", silent: true, counts: "MOLO-LAST", over: "--seconds 29 --hitcount 6 -j DROP",
		hooks:   []resource.Hook{{From: "FORWARD", To: "MOLO-LAST"}},
		targets: map[Verdict]string{Pass: back, Docker: back, Allow: back, Reject: "-j DROP", Deny: "-j DROP"},
	}
}

// needsLast reports whether there is something that the guard leaves to the filter.
func (f Family) needsLast() bool {
	return slices.ContainsFunc(f.In, func(r Rule) bool { return r.Verdict == Reject || r.Verdict == Limit })
}

// rules renders the program of one family. The chains are entered with -g, so that
// RETURN from any of them leads back to the chain that is hooked.
func (l layout) rules(f Family, s shape) resource.Rules {
	to, in := l.chain+"-TO", l.chain+"-IN"
	chains := []resource.Chain{
		l.render(f, l.chain, f.From, to),
		l.render(f, to, f.To, in),
	}
	if len(f.In) < s.from {
		chains = append(chains, l.render(f, in, f.In, ""))
	} else {
		chains = append(chains, l.inBuckets(f, s)...)
	}
	if l.refuses && slices.ContainsFunc(f.In, func(r Rule) bool { return r.Verdict == Limit }) {
		chains = append(chains, l.limited(f.Quiet))
	}
	hooks := l.hooks
	if l.refuses && len(f.Host) > 0 {
		chains = append(chains, hostChain(f.Host))
		hooks = append(slices.Clone(hooks), resource.Hook{From: "INPUT", To: hostChainName, Place: resource.BeforeUFW})
	}
	digest := seal(chains)
	return resource.Rules{Family: f.Family, Table: l.table, Hooks: hooks, Chains: chains, Digest: digest}
}

// hostChainName is the chain for what is sent to the host itself.
const hostChainName = "MOLO-HOST"

// hostChain decides on what is sent to the host itself, as far as that is not left to UFW.
func hostChain(list []Rule) resource.Chain {
	chain := resource.Chain{Name: hostChainName}
	targets := map[Verdict]string{Allow: " -j ACCEPT", Deny: " -j DROP", Pass: " -j RETURN"}
	for _, r := range list {
		chain.Rules = append(chain.Rules, resource.Rule{Spec: r.Match.spec() + targets[r.Verdict], Why: r.Why})
	}
	return chain
}

func (l layout) render(f Family, name string, list []Rule, onward string) resource.Chain {
	chain := resource.Chain{Name: name}
	for _, r := range list {
		chain.Rules = append(chain.Rules, l.kernelRules(f, r, onward)...)
	}
	return chain
}

// kernelRules returns what one rule becomes.
func (l layout) kernelRules(f Family, r Rule, onward string) []resource.Rule {
	var all []resource.Rule
	for _, tail := range l.tails(f, r, onward) {
		all = append(all, resource.Rule{Spec: strings.TrimPrefix(r.Match.spec()+" "+tail, " "), Why: r.Why})
	}
	return all
}

// tails returns what follows the match in each of the kernel's rules that one rule
// becomes. The guard only logs what it drops itself.
func (l layout) tails(f Family, r Rule, onward string) []string {
	var tails []string
	if r.Log && !l.silent && (l.refuses || r.Verdict == Deny) {
		tails = append(tails, logTail(r.Verdict))
	}
	target, simple := l.targets[r.Verdict]
	switch {
	case simple:
		return append(tails, target)
	case r.Verdict == next:
		return append(tails, "-g "+onward)
	case r.Verdict == Reject:
		return append(tails, rejectTail(r.Match.Protocol))
	default:
		return append(tails, l.limitTails(f)...)
	}
}

// logTail logs as UFW does (3 a minute, in bursts of 10) under a prefix that its
// rsyslog rule also sorts into /var/log/ufw.log.
func logTail(v Verdict) string {
	word := "BLOCK"
	switch v {
	case Allow:
		word = "ALLOW"
	case Limit:
		word = "LIMIT"
	}
	return `-m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW MOLO ` + word + `] "`
}

// rejectTail refuses as UFW does: TCP with a reset where the rule is about TCP,
// everything else with "port unreachable".
func rejectTail(p Protocol) string {
	if p == TCP {
		return "-j REJECT --reject-with tcp-reset"
	}
	return "-j REJECT"
}

// limitTails counts as UFW does, per source over all limit rules, but in a list of
// molo's own: UFW's must not fill up with connections to containers. The list
// outlives a reload of the rules, because a rule of the new set refers to it before
// the last one of the old set is gone.
func (l layout) limitTails(f Family) []string {
	list := "-m recent --name " + l.counts
	if f.Family == resource.IPv6 {
		list += "6"
	}
	return []string{
		list + " --set",
		list + " --update " + l.over,
		l.targets[Allow],
	}
}

// limited is the chain for connections over the limit.
func (l layout) limited(quiet bool) resource.Chain {
	why := "ufw: limit: 6 connections in 30 s"
	chain := resource.Chain{Name: l.chain + "-LIMIT"}
	if !quiet {
		chain.Rules = append(chain.Rules, resource.Rule{Spec: `-m limit --limit 3/min -j LOG --log-prefix "[UFW MOLO LIMIT BLOCK] "`, Why: why})
	}
	chain.Rules = append(chain.Rules, resource.Rule{Spec: "-j REJECT", Why: why})
	return chain
}
