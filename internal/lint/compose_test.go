package lint

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"molo/internal/audit"
)

// load reads the text of a compose file.
func load(t testing.TB, text string) (ComposeFile, error) {
	t.Helper()
	details := types.ConfigDetails{WorkingDir: t.TempDir(), ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(text)}}, Environment: types.Mapping{}}
	project, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName("x", true)
		o.SkipInclude, o.SkipExtends, o.SkipResolveEnvironment, o.SkipResolveLabels, o.SkipConsistencyCheck, o.ResolvePaths = true, true, true, true, true, false
	})
	return ComposeFile{Project: project, Sources: []Source{{"compose.yaml", []byte(text)}}}, err
}

// right is a service with nothing wrong, one attribute a line.
func right() []string {
	return []string{
		"image: nginx" + digest, `user: "1000:1000"`, "cap_drop: [ALL]", "read_only: true", "tmpfs: [/run]", `security_opt: ["no-new-privileges:true"]`,
		"mem_limit: 512m", "cpus: 1.0", "pids_limit: 100", "restart: on-failure:5", "healthcheck: {test: [CMD, /ok]}", `ports: ["127.0.0.1:8080:80"]`,
	}
}

// with replaces attributes of the right service, or adds some; "user:" alone takes it out.
func with(changes ...string) string {
	lines := right()
	for _, change := range changes {
		key, value, _ := strings.Cut(change, ":")
		found := false
		for i := range lines {
			if strings.HasPrefix(lines[i], key+":") {
				lines[i], found = change, true
				if value == "" {
					lines[i] = "x-" + key + ": 1"
				}
			}
		}
		if !found {
			lines = append(lines, change)
		}
	}
	return "services:\n  web:\n    " + strings.Join(lines, "\n    ") + "\n"
}

func TestServices(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing wrong":                     {with(), ""},
		"bounds under deploy":               {with("mem_limit:", "cpus:", "pids_limit:", "deploy: {resources: {limits: {memory: 1g, cpus: '1', pids: 9}}}"), ""},
		"root":                              {with("user: '0:0'"), "4 required container-user: service web: user \"0:0\" is root\n"},
		"no user":                           {with("user:"), "2 recommended container-user: service web names no user: it runs as root unless its image says otherwise\n"},
		"nothing dropped":                   {with("cap_drop:"), "2 required container-capabilities-dropped: service web: drops none\n"},
		"a capability":                      {with("cap_add: [SYS_ADMIN]"), "15 required container-capabilities-added: service web: adds SYS_ADMIN\n"},
		"writable":                          {with("read_only: false"), "6 required container-read-only: service web: writable\n"},
		"new privileges":                    {with("security_opt: ['no-new-privileges:false']"), "8 required container-no-new-privileges: service web: opted out with no-new-privileges=false\n"},
		"no system call filter":             {with("security_opt: ['no-new-privileges', 'seccomp:unconfined']"), "8 required container-seccomp: service web: seccomp=unconfined\n"},
		"no AppArmor":                       {with("security_opt: ['no-new-privileges', 'apparmor=unconfined']"), "8 required container-apparmor: service web: profile unconfined\n"},
		"no SELinux":                        {with("security_opt: ['no-new-privileges', 'label:disable']"), "8 required container-selinux: service web: no label\n"},
		"the kernel's settings":             {with("security_opt: ['no-new-privileges', 'systempaths=unconfined']"), "8 required container-system-paths: service web: systempaths=unconfined\n"},
		"privileged":                        {with("privileged: true"), "15 required container-privileged: service web: privileged\n"},
		"the host's network":                {with("ports:", "network_mode: host"), "15 required container-host-network: service web: --network host\n"},
		"the default bridge":                {with("network_mode: bridge"), "15 info container-default-bridge: service web: on the default bridge\n"},
		"the host's processes":              {with("pid: host"), "15 required container-host-pid: service web: --pid host\n"},
		"the host's IPC":                    {with("ipc: host"), "15 required container-host-ipc: service web: --ipc host\n"},
		"the host's name":                   {with("uts: host"), "15 required container-host-uts: service web: --uts host\n"},
		"the host's users":                  {with("userns_mode: host"), "15 required container-host-userns: service web: --userns host\n"},
		"the host's control groups":         {with("cgroup: host"), "15 required container-host-cgroup: service web: --cgroupns host\n"},
		"a control group":                   {with("cgroup_parent: x.slice"), "15 info container-cgroup-parent: service web: x.slice\n"},
		"a device":                          {with("devices: ['/dev/sda']"), "15 recommended container-devices: service web: /dev/sda\n"},
		"a graphics card":                   {with("gpus: all"), "15 recommended container-devices: service web: a request for devices\n"},
		"the socket":                        {with("volumes: ['/var/run/docker.sock:/d:ro']"), "15 required container-runtime-socket: service web: reaches docker.sock by way of /var/run/docker.sock\n"},
		"a directory around the socket":     {with("volumes: ['/run:/x']"), "15 required container-runtime-socket: service web: reaches docker.sock by way of /run\n"},
		"the socket by its attribute":       {with("use_api_socket: true"), "15 required container-runtime-socket: service web: reaches docker.sock by way of /var/run/docker.sock\n"},
		"the host's settings":               {with("volumes: [{type: bind, source: /etc/../etc/shadow, target: /x}]"), "15 required container-mounts: service web: sees /etc/shadow\n"},
		"a volume that is a directory":      {with("volumes: ['etc:/x']") + "volumes:\n  etc: {driver_opts: {type: none, o: bind, device: /etc}}\n", "15 required container-mounts: service web: sees /etc\n"},
		"shared propagation":                {with("volumes: [{type: bind, source: /srv, target: /x, bind: {propagation: rshared}}]"), "15 recommended container-propagation: service web: rshared at /x\n"},
		"what is the project's own":         {with("volumes: ['./data:/data', '../x:/y', 'v:/v', '/var/www:/www']") + "volumes: {v: {}}\n", ""},
		"a port on every address":           {with("ports: ['8080:80']"), "14 required container-published-address: service web: publishes 0.0.0.0:8080\n"},
		"a port on every address, IPv6":     {with("ports: ['[::]:8080:80']"), "14 required container-published-address: service web: publishes :::8080\n"},
		"a port that the kernel chooses":    {with("ports: ['80']"), "14 required container-published-address: service web: publishes 0.0.0.0:32768\n"},
		"a port below 1024":                 {with("ports: ['127.0.0.1:80:80']"), "14 info container-privileged-ports: service web: publishes 80/tcp\n"},
		"no bounds":                         {with("mem_limit:", "cpus:", "pids_limit:"), "2 info container-cpu: service web: no share set\n2 required container-memory: service web: no bound\n2 required container-pids: service web: no bound\n"},
		"started for ever":                  {with("restart: always"), "12 info container-restart: service web: always\n"},
		"no health check":                   {with("healthcheck:"), "2 recommended container-health-check: service web has no health check, unless its image brings one\n"},
		"the health check taken out":        {with("healthcheck: {disable: true}"), "13 required container-health-check: service web: none\n"},
		"logs without bounds":               {with("logging: {driver: json-file}"), "15 recommended container-log-driver: service web: json-file without max-size: can fill the disk\n"},
		"no logs":                           {with("logging: {driver: none}"), "15 recommended container-log-driver: service web: keeps no logs\n"},
		"an image by its tag":               {with("image: nginx:1"), "3 required container-image-pinned: service web: runs nginx:1\n"},
		"an image that is built":            {with("image: web", "build: ."), ""},
		"an image by its ID":                {with("image: sha256:" + strings.Repeat("01", 32)), ""},
		"a service that a profile turns on": {strings.Replace(with("pid: host"), "    image", "    profiles: [debug]\n    image", 1), "16 required container-host-pid: service web: --pid host\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := load(t, c.text)
			if err != nil {
				t.Fatal(err)
			}
			all := Compose(parse(t, asks), file, time.Now())
			if diff := cmp.Diff(c.want, short(all)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range all {
				if f.Fix == "" || f.File != "compose.yaml" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestServicesWithoutAPolicyAreJudgedByTheDefaults(t *testing.T) {
	file, err := load(t, with("privileged: true", "user: root", "ports: ['8080:80']"))
	if err != nil {
		t.Fatal(err)
	}
	want := "4 recommended container-user: service web: user \"root\" is root\n14 recommended container-published-address: service web: publishes 0.0.0.0:8080\n15 required container-privileged: service web: privileged\n"
	if diff := cmp.Diff(want, short(Compose(nil, file, time.Now()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatTheDaemonGivesIsNotAskedOfAService(t *testing.T) {
	file, err := load(t, with("security_opt:", "user: root"))
	if err != nil {
		t.Fatal(err)
	}
	if all := Compose(parse(t, "docker {}\ncontainers {}\n"), file, time.Now()); len(all) != 0 {
		t.Errorf("%s", short(all))
	}
}

func TestAnExemptionHoldsForAService(t *testing.T) {
	const text = "exempt \"disk\" {\n  checks = [\"container-privileged\"]\n  container = \"web\"\n  reason = \"formats disks\"\n  expires = \"2027-01-31\"\n}\n"
	file, err := load(t, with("privileged: true"))
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]int{"2027-01-31": 0, "2027-02-01": 1} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if all := Compose(parse(t, text), file, now); len(all) != want {
			t.Errorf("on %s %d findings, want %d: %s", day, len(all), want, short(all))
		}
	}
}

// TestEachRuleSaysWhatToWrite keeps the rules of compose files complete.
func TestEachRuleSaysWhatToWrite(t *testing.T) {
	for _, slug := range audit.Slugs() {
		if !strings.HasPrefix(slug, "container-") || slug == "container-sshd" || slug == "container-stopped" {
			continue
		}
		if r := ruleOf(slug); r.fix == "" || len(r.keys) == 0 {
			t.Errorf("no rule for %s", slug)
		}
	}
}

func TestErrorsAreRedacted(t *testing.T) {
	const text = "services:\n  web:\n    environment:\n      - A=correct-horse\n    build:\n      args: {B: battery}\n    x-token: staple\n    image: shown\n"
	got := Redacted("invalid: A=correct-horse, correct-horse, battery,\n\x1b[2Jstaple and shown", []Source{{"compose.yaml", []byte(text)}})
	if want := `invalid: …, …, …, \x1b[2J… and shown`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzCompose checks what is made of any project that the loader accepts, and of any
// text in which lines are looked for.
func FuzzCompose(f *testing.F) {
	f.Add(with("cap_add: [X]", "ports: ['1-3:1-3/udp', '[::1]:0:65535']", "volumes: ['/:/x:ro,rshared']", "gpus: all"))
	f.Add("services: &a\n  b: {image: x, extends: {service: b}}\n  c: {<<: *a}\n")
	f.Add("services: [1]\n? {a: b}\n: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		placesOf([]Source{{"x", []byte(text)}}).of("b", []string{"image"})
		Redacted(text, []Source{{"x", []byte(text)}})
		var root yaml.Node
		if len(text) > 4096 || yaml.Unmarshal([]byte(text), &root) != nil {
			return
		}
		file, err := load(t, text)
		if err != nil {
			return
		}
		for _, one := range Compose(nil, file, time.Now()) {
			if one.Line < 1 || one.Fix == "" || one.Level == "" || strings.ContainsFunc(one.Text, unprintable) {
				t.Errorf("%+v", one)
			}
		}
	})
}
