package firewall_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
)

func TestEffectsSayWhoReachesAPortBeforeAndAfter(t *testing.T) {
	f := dockerHost(activeUFW(tuplesFor("allow tcp 8080 ANY any ANY in")...))
	port := func(address string, port uint16, protocol string) facts.Publish {
		return facts.Publish{Address: netip.MustParseAddr(address), Port: port, Container: 80, Protocol: protocol}
	}
	f.Docker.Containers = []facts.Container{
		{ID: "1", Name: "web", Running: true, Network: "bridge",
			Endpoints: []facts.Endpoint{{Network: "bridge", Addresses: []netip.Addr{netip.MustParseAddr(web), netip.MustParseAddr(webV6)}}},
			Published: []facts.Publish{
				port("0.0.0.0", 8080, "tcp"), port("::", 8080, "tcp"), port("0.0.0.0", 9000, "tcp"), port("::", 9000, "tcp"),
				port("0.0.0.0", 9001, "tcp"), port("::", 9001, "tcp"), port("::", 9003, "udp"), port("127.0.0.1", 9004, "tcp"),
			}},
		{ID: "2", Name: "off", Published: []facts.Publish{port("0.0.0.0", 9002, "tcp")}},
	}
	program := compile(t, block("ufw", publish(7, "office", "tcp", "9100", "192.0.2.0/24")), f)
	none := &firewall.Program{}
	tests := []struct {
		name          string
		before, after *firewall.Program
		want          []string
	}{
		{"the first run", none, program, []string{
			"9000:9001/tcp of container web: everybody -> nobody (default: deny incoming)",
			"9003/udp of container web over IPv6: everybody -> nobody (default: deny incoming)",
		}},
		{"an uninstall", program, none, []string{
			"9000:9001/tcp of container web: nobody -> everybody (Docker opens what it publishes: no rules of molo's stand in the way)",
			"9003/udp of container web over IPv6: nobody -> everybody (Docker opens what it publishes: no rules of molo's stand in the way)",
		}},
		{"nothing changes", program, program, nil},
		{"a port opens to some", program, compile(t, block("ufw", publish(7, "office", "tcp", "9000", "192.0.2.0/24")), f), []string{
			"9000/tcp of container web: nobody -> 192.0.2.0/24, nobody else (default: deny incoming)",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			effects, err := firewall.Effects(test.before, test.after, f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range effects {
				got = append(got, e.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
	f.UFW.Rules4 = strings.Repeat("### RULES ###\n", 2)
	if _, err := firewall.Effects(none, program, f); err == nil {
		t.Error("with a rule file that is not understood there is no error")
	}
}
