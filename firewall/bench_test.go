package firewall_test

import (
	"fmt"
	"net/netip"
	"testing"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// portsField writes a range as UFW does.
func portsField(r policy.PortRange) string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d:%d", r.First, r.Last)
}

// manyRules returns a UFW with n rules in each family, each with a source of its own.
func manyRules(n int) facts.UFW {
	var tuples []string
	for i := range n {
		v4 := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		tuples = append(tuples,
			fmt.Sprintf("allow tcp %d 0.0.0.0/0 any %s in", 1+i%65535, v4),
			fmt.Sprintf("allow tcp %d ::/0 any 2001:db8::%x in", 1+i%65535, i))
	}
	return activeUFW(tuples...)
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("%d rules in each family", n), func(b *testing.B) {
			f := dockerHost(manyRules(n))
			var rules []resource.Rules
			for b.Loop() {
				rules = compile(b, block("ufw"), f).Rules()
			}
			lines := 0
			for _, r := range rules {
				for _, c := range r.Chains {
					lines += len(c.Rules)
				}
			}
			b.ReportMetric(float64(lines), "kernel-rules")
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	program := compile(b, block("ufw"), dockerHost(manyRules(10000)))
	pkt := tcp(host + ":8080")
	for b.Loop() {
		if verdict, _ := program.Decide(pkt); verdict != firewall.Deny {
			b.Fatal(verdict)
		}
	}
}
