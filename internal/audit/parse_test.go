package audit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

func TestFlagsOfDockerdInEveryForm(t *testing.T) {
	for name, c := range map[string]struct {
		argv        string
		flag, short string
		want        []string
	}{
		"with an equals sign":               {"--log-level=debug", "log-level", "-l", []string{"debug"}},
		"with a space":                      {"--log-level debug --icc=false", "log-level", "-l", []string{"debug"}},
		"short with a space":                {"-l debug", "log-level", "-l", []string{"debug"}},
		"short in one word":                 {"-ldebug", "log-level", "-l", []string{"debug"}},
		"short with an equals sign":         {"-l=debug", "log-level", "-l", []string{"debug"}},
		"several times":                     {"-H fd:// --host=tcp://0.0.0.0:2375", "host", "-H", []string{"fd://", "tcp://0.0.0.0:2375"}},
		"a switch":                          {"--tlsverify -H fd://", "tlsverify", "", []string{"true"}},
		"a switch that is off":              {"--icc=false", "icc", "", []string{"false"}},
		"a short switch":                    {"-D -H fd://", "debug", "-D", []string{"true"}},
		"a longer name that starts alike":   {"--iptables-legacy=false --ip=127.0.0.1", "iptables", "", nil},
		"another name that starts alike":    {"--ip-forward=false", "ip", "", nil},
		"the value of another flag":         {"--host --icc", "icc", "", []string{"true"}},
		"at the end without its value":      {"--log-level", "log-level", "-l", []string{"true"}},
		"not there":                         {"-H fd://", "icc", "", nil},
		"a word in front of which - stands": {"-Hunix:///run/docker.sock", "host", "-H", []string{"unix:///run/docker.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts.Audit{Facts: facts.Facts{Docker: facts.Docker{Flags: strings.Fields(c.argv)}}}
			var got []string
			for _, a := range newView(Input{Facts: f}).flags(c.flag, c.short) {
				got = append(got, a.text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePortOfAnAddressOfDockerd(t *testing.T) {
	for address, want := range map[string]string{
		"tcp://0.0.0.0:2376": "2376", "tcp://[::]:2377/x": "2377", "[::]:2378": "2378", "2379": "2379", "tcp://": "2375", "tcp://localhost": "2375", "tcp://:2380": "2380", "": "2375",
	} {
		if got := portText(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestTheLineOfAKey(t *testing.T) {
	const text = "{\n  \"log-opts\": {\n    \"icc\": \"x\"\n  },\n\n  \"icc\": false, \"ip\": \"::1\"\n}\n"
	for key, want := range map[string]int{"log-opts": 2, "icc": 6, "ip": 6, "mtu": 1} {
		if got := lineOf(text, key); got != want {
			t.Errorf("%s: line %d, want %d", key, got, want)
		}
	}
}

// FuzzDaemonJSON checks that no daemon.json makes a check panic, and that lines are
// those of the file.
func FuzzDaemonJSON(f *testing.F) {
	for _, text := range []string{"", "null", "[]", "{}", "{\"icc\": 1}", "{\"icc\": false}\n", "{\"hosts\": 1}", "{\"hosts\": [\"tcp://\"]}", "\xef\xbb\xbf{}", "{\"icc\":\n\n\n{\"icc\":true}}", "{\"userns-remap\": {}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host := clean(t)
		host.Facts.Docker.Config = text
		for _, one := range Check(Input{Facts: host}) {
			if strings.Count(text, "\n") > 1000 {
				continue
			}
			if _, line, ok := strings.Cut(one.Where, daemonJSON+":"); ok && !json.Valid([]byte(text)) {
				t.Errorf("line %s of a file that can't be read", line)
			}
		}
	})
}

func TestWhatARuleOfTheAuditIsAbout(t *testing.T) {
	for rule, want := range map[string][]watch{
		"-w /etc/docker -p wa -k docker":                             {{"/etc/docker", true}},
		"-a always,exit -F arch=b64 -F path=/usr/bin/runc -F perm=x": {{"/usr/bin/runc", false}},
		"-a always,exit -F arch=b64 -S all -F dir=/run/containerd":   {{"/run/containerd", true}},
		"-a exit,never -F dir=/var/lib/docker":                       nil,
		"# -w /etc/docker":                                           nil,
		"-a always,exit -F exe=/usr/bin/docker -S execve":            nil,
		"-D": nil,
		"-a always,exit -F path=/etc/docker -F path=/etc/docker2 # -w": {{"/etc/docker", false}, {"/etc/docker2", false}},
		"-w": nil,
	} {
		if diff := cmp.Diff(want, watches(rule), cmp.AllowUnexported(watch{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule, diff)
		}
	}
}

func FuzzWatches(f *testing.F) {
	f.Add("-w /etc/docker -p wa", "/etc/docker/daemon.json")
	f.Add("-a always,exit -F dir=/ -F perm=w", "/x")
	f.Fuzz(func(t *testing.T, rule, path string) {
		if covers([]string{rule}, path) && !strings.Contains(rule, "/") && path != "" {
			for _, w := range watches(rule) {
				if w.path == path {
					return
				}
			}
			t.Errorf("%q covers %q", rule, path)
		}
	})
}

func TestVersionsOfKernels(t *testing.T) {
	for text, want := range map[string]struct {
		version []int
		flavour string
	}{
		"6.1.0-21-amd64":               {[]int{6, 1, 0, 21}, "amd64"},
		"6.1.0-21-cloud-amd64":         {[]int{6, 1, 0, 21}, "cloud-amd64"},
		"6.12.41+deb13-cloud-arm64":    {[]int{6, 12, 41, 13}, "cloud-arm64"},
		"6.12.48+deb13+1-amd64":        {[]int{6, 12, 48, 13, 1}, "amd64"},
		"6.18.44-fc-v669":              {[]int{6, 18, 44}, "fc-v669"},
		"6.18.44":                      {[]int{6, 18, 44}, ""},
		"99999999999999999999-1-amd64": {nil, ""},
		"":                             {nil, ""},
	} {
		version, flavour := release(text)
		if diff := cmp.Diff(want.version, version); diff != "" || flavour != want.flavour {
			t.Errorf("%s: flavour %q, want %q; (-want +got):\n%s", text, flavour, want.flavour, diff)
		}
	}
}

func TestTheRepositoryOfAnImage(t *testing.T) {
	for image, want := range map[string]string{
		"web": "web", "web:1": "web", "web@sha256:01": "web", "web:1@sha256:01": "web", "r.example.no:5000/a/web": "r.example.no:5000/a/web",
		"r.example.no:5000/a/web:1": "r.example.no:5000/a/web", "": "",
	} {
		if got := repository(image); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
}

func TestUFWsDefaultForWhatComesIn(t *testing.T) {
	for text, want := range map[string]string{
		"DEFAULT_INPUT_POLICY=\"DROP\"\n":                                "DROP",
		"DEFAULT_INPUT_POLICY=REJECT":                                    "REJECT",
		"#DEFAULT_INPUT_POLICY=\"DROP\"\n":                               "",
		"DEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_INPUT_POLICY='ACCEPT'\n": "ACCEPT",
		"": "",
	} {
		if got := incoming(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
