package firewall_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/policy"
)

// FuzzRuleFile feeds the reader whatever a user.rules may hold. Whatever it
// accepts has to compile into rules that are safe to load, must not open a port that
// no rule which UFW would load opens, and must not be accepted without its end.
func FuzzRuleFile(f *testing.F) {
	f.Add(sample(f).Rules4)
	f.Add(ruleFile())
	for _, tuple := range []string{
		"allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
		"limit any 53,60:70 0.0.0.0/0 any 10.0.0.0/8 in_eth0",
		"route:allow_log-all udp any 172.17.0.2 1024:2048 0.0.0.0/0 A%20b - in_eth0!out_docker0 comment=616263",
		"deny any any 0.0.0.0/0 any 198.51.100.7 out_eth0",
		"allow gre any 0.0.0.0/0 any ::1 in",
	} {
		f.Add(ruleFile(tuple))
	}
	f.Fuzz(func(t *testing.T, text string) {
		u := activeUFW()
		u.Rules4 = text
		program, err := firewall.Compile(block("ufw"), dockerHost(u))
		if err != nil {
			return
		}
		checkRules(t, program.Rules())
		for _, pkt := range []firewall.Packet{tcp(host + ":8080"), udp(host + ":53"), direct(tcp(host + ":8080"))} {
			verdict, why := program.Decide(pkt)
			if (verdict == firewall.Allow || verdict == firewall.Limit) && !loads(text, pkt) {
				t.Errorf("%v is open because of %q, but no rule that ufw would load opens it", pkt, why)
			}
		}
		if cut := strings.LastIndex(text, "### END RULES ###"); cut >= 0 {
			u.Rules4 = text[:cut]
			if _, err := firewall.Compile(block("ufw"), dockerHost(u)); err == nil {
				t.Error("a file without its end is taken for whole")
			}
		}
	})
}

// loads reads the iptables rules, which are what counts for UFW, once more and more
// crudely: is there any that lets somebody in, and is about the packet's port?
func loads(text string, pkt firewall.Packet) bool {
	for l := range strings.Lines(text) {
		words := strings.Fields(l)
		if len(words) < 4 || words[0] != "-A" || words[1] != "ufw-user-input" && words[1] != "ufw-user-forward" {
			continue
		}
		port := pkt.Original.Port()
		if words[1] == "ufw-user-forward" {
			port = pkt.Destination.Port()
		}
		value := func(options ...string) string {
			i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(options, w) })
			if i < 0 || i+1 == len(words) {
				return ""
			}
			return words[i+1]
		}
		target, protocol, ports := value("-j"), value("-p"), value("--dport", "--dports")
		opens := target == "ACCEPT" || target == "ufw-user-limit-accept"
		if opens && (protocol == "" || protocol == pkt.Protocol.String()) &&
			(ports == "" || slices.ContainsFunc(strings.Split(ports, ","), func(item string) bool { return covers(item, port) })) {
			return true
		}
	}
	return false
}

// covers reads "80" or "80:90" digit by digit, so as to share no code with the reader.
func covers(item string, port uint16) bool {
	number := func(s string) int {
		n := 0
		for _, c := range strings.TrimLeft(s, "+") {
			n = n*10 + int(c-'0')
		}
		return n
	}
	low, high, isRange := strings.Cut(item, ":")
	if !isRange {
		high = low
	}
	return number(low) <= int(port) && int(port) <= number(high)
}

// FuzzSettings feeds the reader whatever /etc/default/ufw and ufw.conf may hold: it
// must not panic, and must take nothing for ACCEPT that has no such word.
func FuzzSettings(f *testing.F) {
	u := sample(f)
	f.Add(u.Defaults, u.Conf)
	f.Add(denyDefault, enabledConf)
	f.Add("DEFAULT_INPUT_POLICY='ACCEPT\nDEFAULT_FORWARD_POLICY=DROP #\nIPV6=\"", "ENABLED=yes;LOGLEVEL=off")
	f.Fuzz(func(t *testing.T, defaults, conf string) {
		u := activeUFW()
		u.Defaults, u.Conf = defaults, conf
		ufw, _, err := firewall.ParseUFW(u)
		if err != nil || !ufw.Active {
			return
		}
		if ufw.Input == firewall.DefaultAccept && !strings.Contains(defaults+conf, "ACCEPT") {
			t.Errorf("the default is %s, though nothing says so", ufw.Input)
		}
		if !strings.Contains(strings.ToLower(conf+defaults), "yes") {
			t.Error("ufw counts as active, though nothing says so")
		}
	})
}

// FuzzTuple builds one tuple out of its fields, so that the fuzzer does not have to
// find the marks, and compares the verdict with one that is worked out from them.
func FuzzTuple(f *testing.F) {
	f.Add("allow", uint16(8080), uint16(8080), "198.51.100.0", byte(24))
	f.Add("deny", uint16(8000), uint16(9000), "0.0.0.0", byte(0))
	f.Add("reject", uint16(1), uint16(65535), "198.51.100.7", byte(32))
	f.Fuzz(func(t *testing.T, action string, first, last uint16, source string, bits byte) {
		addr, err := netip.ParseAddr(source)
		if err != nil || !addr.Is4() || bits > 32 || first == 0 || last < first || !slices.Contains([]string{"allow", "deny", "reject", "limit"}, action) {
			return
		}
		prefix := netip.PrefixFrom(addr, int(bits))
		ports := policy.PortRange{First: first, Last: last}
		tuple := action + " tcp " + portsField(ports) + " 0.0.0.0/0 any " + prefix.String() + " in"
		program := compile(t, block("ufw"), dockerHost(activeUFW(tuple)))
		pkt := tcp(host + ":8080")
		want := firewall.Deny
		if prefix.Contains(pkt.Source.Addr()) && first <= 8080 && 8080 <= last {
			want = firewall.Verdict(action)
		}
		if got, why := program.Decide(pkt); got != want {
			t.Errorf("%s: got %s because of %q, want %s", tuple, got, why, want)
		}
	})
}
