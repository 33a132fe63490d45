package main

import (
	"fmt"
	"strings"
)

// seedRules are rule sets that are always tried first.
func seedRules(s *scene) [][]string {
	w4, w6, l4 := s.stranger.Addr4.String(), s.stranger.Addr6.String(), s.lan.Addr4.String()
	lan := s.lan.HostInterface
	return [][]string{
		{"allow 7000/tcp", "allow 7001/udp", "allow 7002", "reject 7003/tcp", "reject 7004/udp", "reject 7005"},
		{"deny from " + w4, "allow 7000:7005/tcp", "deny from " + l4, "allow proto udp to any port 7006:7008,7010"},
		{"allow in on " + lan + " to any port 7000:7005 proto tcp", "allow in on " + lan, "reject in on " + s.stranger.HostInterface},
		{"allow to " + second4 + " port 7000 proto tcp", "deny to " + second4, "allow from 10.77.0.0/24", "allow to " + second6},
		{"reject from " + w6, "allow proto tcp from 2001:db8::/32 to any port 7000,7002,7004:7006", "reject from 203.0.113.0/24"},
		{"default allow incoming", "deny 7000:7003/tcp", "reject proto udp to any port 7000,7004", "deny from " + l4 + " to any port 7007"},
		{"allow from any port 1024:65535 proto tcp", "deny from any port 1:1023 proto udp", "allow proto udp to any port 7003"},
		{"allow 7003/tcp", "insert 1 deny from " + w4 + " to any port 7003", "deny out 7001/tcp", "allow log 7001/tcp", "delete allow 7003/tcp", "allow 7004"},
	}
}

// ruleSet makes a few rules, now and then behind another default.
func (o *oracle) ruleSet() []string {
	var rules []string
	if o.random.IntN(5) == 0 {
		rules = append(rules, "default allow incoming")
	}
	for range 3 + o.random.IntN(4) {
		rules = append(rules, o.rule())
	}
	return rules
}

// rule makes one rule that the ufw command takes.
func (o *oracle) rule() string {
	r := o.random
	var words []string
	add := func(w ...string) { words = append(words, w...) }
	if r.IntN(8) == 0 {
		add("prepend")
	}
	add(pick(r, []string{"allow", "allow", "allow", "allow", "deny", "deny", "reject", "reject"}))
	switch r.IntN(10) {
	case 0, 1:
		add("in on " + pick(r, []string{o.stranger.HostInterface, o.lan.HostInterface}))
	case 2:
		add("out") // about what the host sends: answers are none of it
	}
	if r.IntN(8) == 0 {
		add(pick(r, []string{"log", "log-all"}))
	}
	protocol := pick(r, []string{"tcp", "udp", ""})
	if protocol != "" {
		add("proto " + protocol)
	}
	from, to := o.addressPair()
	add("from " + from)
	if protocol != "" && r.IntN(10) == 0 {
		add("port " + pick(r, []string{"1024:65535", "1:1023"}))
	}
	add("to " + to)
	if r.IntN(6) > 0 {
		add("port " + o.ports(protocol != ""))
	}
	return strings.Join(words, " ")
}

// addressPair makes a source and a destination of one family, or of both.
func (o *oracle) addressPair() (from, to string) {
	r := o.random
	from, to = "any", "any"
	six := r.IntN(3) == 0
	if r.IntN(2) == 0 {
		from = pick(r, []string{"203.0.113.0/24", "203.0.113.0/30", "10.77.0.0/24", "10.0.0.0/8", o.stranger.Addr4.String(), o.lan.Addr4.String(), neighbour})
		if six {
			from = pick(r, []string{"2001:db8::/32", "2001:db8::/64", o.stranger.Addr6.String(), o.lan.Addr6.String()})
		}
	}
	if r.IntN(4) == 0 {
		to = pick(r, []string{second4, private, o.stranger.HostAddr4.String(), "203.0.113.4/30", "198.51.100.0/24"})
		if six {
			to = pick(r, []string{second6, o.stranger.HostAddr6.String(), o.lan.HostAddr6.String() + "/64"})
		}
	}
	return from, to
}

// ports makes a port, and for rules with a protocol also ranges and lists.
func (o *oracle) ports(many bool) string {
	r := o.random
	port := func() int { return firstPort + r.IntN(lastPort-firstPort+1) }
	if !many {
		return fmt.Sprint(port())
	}
	first := port()
	last := first + 1 + r.IntN(4)
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("%d:%d", first, last)
	case 1:
		return fmt.Sprintf("%d:%d,%d,%d", first, last, last+1, last+3)
	}
	return fmt.Sprint(first)
}
