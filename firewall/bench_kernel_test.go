package firewall_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
)

// renderings are the two ways to render a program.
func renderings(p *firewall.Program) map[string][]resource.Rules {
	return map[string][]resource.Rules{"list": p.RulesInOneList(), "rules": p.Rules()}
}

// BenchmarkCommitOfBothTables replaces the rules of IPv4 by the same rules. It tells
// what Rules renders, and how long the same takes with every list as one chain.
func BenchmarkCommitOfBothTables(b *testing.B) {
	for _, flavour := range flavours() {
		for _, n := range []int{10, 1000, 10000} {
			b.Run(fmt.Sprintf("%s, %d rules of ufw", flavour, n), func(b *testing.B) {
				needSpaces(b, flavour)
				took := map[string][]time.Duration{}
				worlds, texts := map[string]*world{}, map[string]string{}
				for name, rules := range renderings(compile(b, block("ufw"), dockerHost(portRules(n)))) {
					worlds[name] = &world{flavour: flavour, host: newSpace(b)}
					worlds[name].loadRules(b, rules)
					texts[name] = withoutHooks(restoreTexts(rules, resource.IPv4))
				}
				for b.Loop() {
					for name, w := range worlds {
						began := time.Now()
						w.host.restore(b, w.tool(resource.IPv4, "restore"), texts[name])
						took[name] = append(took[name], time.Since(began))
					}
				}
				b.ReportMetric(float64(strings.Count(texts["rules"], "\n-A ")), "kernel-rules")
				b.ReportMetric(float64(median(took["rules"]).Microseconds())/1000, "ms/commit")
				b.ReportMetric(float64(median(took["list"]).Microseconds())/1000, "ms/commit-as-list")
				b.ReportMetric(float64(median(took["rules"]))/float64(median(took["list"])), "times-the-list")
			})
		}
	}
}

// withoutHooks leaves out the jumps from shared chains, which stand already.
func withoutHooks(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "-I ") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ":DOCKER-USER") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// BenchmarkConnectToAPublishedPort connects to the port of the last rule on three
// hosts by turns: one with an empty DOCKER-USER, one with what Rules renders, and one
// with every list as one chain.
func BenchmarkConnectToAPublishedPort(b *testing.B) {
	kinds := []struct {
		name string
		ufw  func(int) facts.UFW
	}{{"rules with a port", portRules}, {"banned addresses, then rules with a port", longList}, {"banned addresses with rules between", bannedSources}}
	for _, flavour := range flavours() {
		for _, kind := range kinds {
			for _, n := range []int{10, 100, 200, 1000, 10000} {
				b.Run(fmt.Sprintf("%s, %d %s", flavour, n, kind.name), func(b *testing.B) { benchmarkConnect(b, flavour, n, kind.ufw(n)) })
			}
		}
	}
}

func benchmarkConnect(b *testing.B, flavour string, n int, ufw facts.UFW) {
	needSpaces(b, flavour)
	program := compile(b, block("ufw"), dockerHost(ufw))
	port := lastPort(ufw)
	worlds := map[string]*world{"empty": newWorld(b, flavour)}
	worlds["empty"].host.restore(b, worlds["empty"].tool(resource.IPv4, "restore"), "*filter\n:DOCKER-USER - [0:0]\n-I FORWARD 1 -j DOCKER-USER\nCOMMIT\n")
	for name, rules := range renderings(program) {
		worlds[name] = newWorld(b, flavour)
		worlds[name].loadRules(b, rules)
	}
	took := map[string][]time.Duration{}
	for name, w := range worlds {
		w.publish(b, publishAll(port)...)
		w.connect(b, port, 20)
		took[name] = nil
	}
	for b.Loop() {
		for name, w := range worlds {
			took[name] = append(took[name], w.connect(b, port, 8)...)
		}
	}
	empty := median(took["empty"])
	b.ReportMetric(float64(empty.Nanoseconds())/1000, "µs-empty")
	b.ReportMetric(float64(median(took["rules"]))/float64(empty), "times-empty")
	b.ReportMetric(float64(median(took["list"]))/float64(empty), "times-empty-as-list")
}

// lastPort is the port of the last rule for IPv4 that names one, else a port of none.
func lastPort(ufw facts.UFW) uint16 {
	port := uint16(9)
	for line := range strings.Lines(ufw.Rules4) {
		var protocol string
		var n uint16
		if _, err := fmt.Sscanf(line, "### tuple ### allow %s %d", &protocol, &n); err == nil {
			port = n
		}
	}
	return port
}

// connect makes connections from the internet to a port of the host and says how long
// each took.
func (w *world) connect(b *testing.B, port uint16, times int) []time.Duration {
	b.Helper()
	target := &unix.SockaddrInet4{Port: int(port), Addr: netip.MustParseAddr(addresses(resource.IPv4)["HOST"]).As4()}
	var took []time.Duration
	w.spaces["eth0"].must(b, func() error {
		for range times {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			// Closed with a reset, so that no port is left waiting.
			err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			began := time.Now()
			if err == nil {
				err = unix.Connect(fd, target)
			}
			took = append(took, time.Since(began))
			unix.Close(fd)
			if err != nil {
				return fmt.Errorf("connecting to port %d: %w", port, err)
			}
		}
		return nil
	})
	return took
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
