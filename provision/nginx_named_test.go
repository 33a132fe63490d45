package provision_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/provision"
)

// nginxPartOf returns the part of sites on a host.
func nginxPartOf(t *testing.T, text string, f facts.Facts) provision.Part {
	t.Helper()
	p, diags := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}})
	if diags.HasErrors() {
		t.Fatalf("policy: %+v", diags.Entries())
	}
	f.Nginx.Installed, f.Nginx.Running = true, true
	parts, err := provision.Desired(p, f, provision.PartNginx)
	if err != nil {
		t.Fatal(err)
	}
	return parts[0]
}

func TestUpstreamsThatOthersReach(t *testing.T) {
	publish := func(address string, port, container uint16) facts.Publish {
		return facts.Publish{Address: netip.MustParseAddr(address), Port: port, Container: container, Protocol: "tcp"}
	}
	container := func(published ...facts.Publish) facts.Docker {
		return facts.Docker{Running: true, Containers: []facts.Container{{
			ID: "1", Name: "web", Running: true, Published: published,
			Endpoints: []facts.Endpoint{{Network: "bridge", Addresses: []netip.Addr{netip.MustParseAddr("172.17.0.2")}}},
		}}}
	}
	loopback, address := `upstream = "127.0.0.1:8081"`, `upstream = "172.17.0.2:80"`
	for _, tc := range []struct {
		name, site string
		docker     facts.Docker
		want       string
	}{
		{"published on loopback", loopback, container(publish("127.0.0.1", 8081, 80)), ""},
		{"nothing there yet", loopback, facts.Docker{}, ""},
		{"a Unix socket", `upstream = "unix:/run/a.sock"`, container(publish("0.0.0.0", 8081, 80)), ""},
		{"published to the world", loopback, container(publish("0.0.0.0", 8081, 80), publish("::", 8081, 80)),
			`policies.hcl:2: site "app.example.no": container web publishes port 8081 on all addresses, where it can be asked past nginx and its headers`},
		{"published on one address of the host", loopback, container(publish("127.0.0.1", 8081, 80), publish("192.0.2.1", 8081, 80)),
			`container web publishes port 8081 on 192.0.2.1`},
		{"published to the world by another port", loopback, container(publish("127.0.0.1", 8081, 80), publish("0.0.0.0", 9000, 80)),
			"container web publishes port 9000 on all addresses"},
		{"another port of the container", loopback, container(publish("127.0.0.1", 8081, 80), publish("0.0.0.0", 9000, 81)), ""},
		{"another container", loopback, container(publish("0.0.0.0", 8082, 80)), ""},
		{"UDP", loopback, facts.Docker{Containers: []facts.Container{{Name: "web", Published: []facts.Publish{{Address: netip.IPv4Unspecified(), Port: 8081, Container: 80, Protocol: "udp"}}}}}, ""},
		{"IPv6 loopback, published on IPv6", `upstream = "[::1]:8081"`, container(publish("::", 8081, 80)), "publishes port 8081 on all addresses"},
		{"a container's own address", address, container(), ""},
		{"a container's own address, published as well", address, container(publish("0.0.0.0", 8080, 80)), "container web publishes port 8080 on all addresses"},
		{"an address that no container has", `upstream = "172.17.0.9:80"`, container(),
			`policies.hcl:2: site "app.example.no": upstream 172.17.0.9:80 is neither loopback nor a container's address`},
		{"an address on another machine that is meant", "upstream = \"192.0.2.9:80\"\n remote = true", container(), ""},
		{"an address, and nobody knows the containers", `upstream = "172.17.0.9:80"`, facts.Docker{Blind: true}, ""},
		{"a backend", "backend \"127.0.0.1:8081\" {}\n backend \"127.0.0.1:8082\" {}", container(publish("0.0.0.0", 8082, 80)), "policies.hcl:3: "},
		{"an upstream of a path", loopback + "\n path \"/api/\" {\n upstream = \"127.0.0.1:8082\"\n}", container(publish("0.0.0.0", 8082, 80)), "policies.hcl:4: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := nginxPartOf(t, "site \"app.example.no\" {\n"+tc.site+"\n}\n", facts.Facts{Docker: tc.docker}).Violations
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want) || !strings.Contains(got[0], "\nhint: ")) {
				t.Errorf("violations %q, want one with %q", got, tc.want)
			}
		})
	}
}

func TestUpstreamsThatListenForEverybody(t *testing.T) {
	docker := facts.Docker{Containers: []facts.Container{{ID: "1", Name: "web", Published: []facts.Publish{{Address: netip.IPv4Unspecified(), Port: 8082, Container: 80, Protocol: "tcp"}}}}}
	for _, tc := range []struct{ name, upstream, open, process, container, want string }{
		{"nobody", "127.0.0.1:8081", "", "", "", ""},
		{"a process", "127.0.0.1:8081", "127.0.0.1:8081", "node", "", "the process node listens on port 8081 of all addresses"},
		{"a container on the host's network", "127.0.0.1:8081", "127.0.0.1:8081", "node", "1", "container web listens on port 8081 of all addresses"},
		{"somebody whom the kernel does not name", "127.0.0.1:8081", "127.0.0.1:8081", "", "", "something listens on port 8081"},
		{"another upstream", "127.0.0.1:8081", "127.0.0.1:8083", "node", "", ""},
		{"what Docker publishes is said once", "127.0.0.1:8082", "127.0.0.1:8082", "docker-proxy", "", "container web publishes port 8082"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := facts.Facts{Docker: docker}
			if tc.open != "" {
				f.Nginx.Open = map[string]facts.Socket{tc.open: {Port: netip.MustParseAddrPort(tc.open).Port(), Process: tc.process, Container: tc.container}}
			}
			got := nginxPartOf(t, "site \"app.example.no\" {\n upstream = \""+tc.upstream+"\"\n}\n", f).Violations
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want) || !strings.Contains(got[0], "\nhint: ")) {
				t.Errorf("violations %q, want one with %q", got, tc.want)
			}
		})
	}
}

func TestFilesWithPasswordsAreGuarded(t *testing.T) {
	const path = "/etc/nginx/users"
	for _, tc := range []struct {
		name   string
		access facts.Access
		want   string
	}{
		{"root's and the workers' group's", facts.Access{Mode: 0o640, Workers: true}, ""},
		{"the workers' alone", facts.Access{Mode: 0o400, Workers: true}, ""},
		{"everybody may read", facts.Access{Mode: 0o644, Workers: true}, "everybody on this host may read or write"},
		{"everybody may write", facts.Access{Mode: 0o642, Workers: true}, "everybody on this host may read or write"},
		{"the group may write", facts.Access{Mode: 0o660, Workers: true}, "may be written by more than its owner"},
		{"the workers may not read", facts.Access{Mode: 0o600}, "nginx's workers run as nobody and can't read"},
		{"not there", facts.Access{Missing: true}, "is not there: nobody gets in"},
		{"out of sight", facts.Access{Problem: "permission denied"}, "could not be looked at: permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := facts.Facts{Nginx: facts.Nginx{
				Files:   map[string]facts.Access{path: tc.access},
				Foreign: map[string]string{"/etc/nginx/nginx.conf": "user nobody;\nhttp { include conf.d/*.conf; }"},
			}}
			got := nginxPartOf(t, "site \"app.example.no\" {\n upstream = \"127.0.0.1:8081\"\n auth {\n users = \""+path+"\"\n }\n path \"/x/\" {}\n}\n", f).Violations
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "policies.hcl:4: ") || !strings.Contains(got[0], tc.want)) {
				t.Errorf("violations %q, want one with %q", got, tc.want)
			}
		})
	}
}

func TestApplicationsThatAreNotThereAreNoted(t *testing.T) {
	f := facts.Facts{Nginx: facts.Nginx{Silent: map[string]string{"127.0.0.1:8081": "connection refused"}}}
	text := "site \"app.example.no\" {\n upstream = \"127.0.0.1:8081\"\n path \"/x/\" {}\n}\n" +
		"site \"b\" {\n backend \"127.0.0.1:8081\" {}\n backend \"127.0.0.1:8082\" {}\n}\n"
	for _, name := range []string{"c", "d", "e", "f"} {
		text += "site \"" + name + "\" {\n upstream = \"127.0.0.1:8081\"\n}\n"
	}
	want := []provision.Note{
		{Text: "nothing answers on 127.0.0.1:8081 (connection refused), where app.example.no, c, d and 2 others should be: until something does, requests get 502", Where: "policies.hcl:2"},
		{Text: "nothing answers on 127.0.0.1:8081 (connection refused), where b should be: requests go to the others", Where: "policies.hcl:6"},
	}
	if diff := cmp.Diff(want, nginxPartOf(t, text, f).Notes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
