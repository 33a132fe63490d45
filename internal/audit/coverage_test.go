package audit

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"molo/internal/golden"
)

// How the audit covers a check of docker-bench-security.
const (
	done   = "done"        // the same verdict
	better = "done better" // another one where that tool is wrong or blind, see testdata/differences.txt
	left   = "left out"
)

// coveredID is a check of the group cis of docker-bench-security 1.6.0.
type coveredID struct {
	id, how, note string
}

// benchmark lists all of them. Which check of molo's it is comes from the code.
func benchmark() []coveredID {
	rules := "goes by the rules that the kernel has, and knows that a rule for a directory covers what is in it"
	modes := "compares bit by bit: 0622 and 0577 are not stricter than 0644"
	return []coveredID{
		{"1.1.1", better, "compares file systems: a directory that dockerd has mounted onto itself is none of its own"},
		{"1.1.2", better, "fails on whoever the policy does not name, and sees users whose own group it is"},
		{"1.1.3", better, rules + "; looks for the program where it is (Debian: /usr/sbin)"}, {"1.1.4", better, rules}, {"1.1.5", better, rules}, {"1.1.6", better, rules}, {"1.1.7", better, rules},
		{"1.1.8", better, rules + "; looks at the socket, not at a unit that containerd does not have"}, {"1.1.9", better, rules},
		{"1.1.10", better, rules}, {"1.1.11", better, rules}, {"1.1.12", better, rules}, {"1.1.13", better, rules}, {"1.1.14", better, rules},
		{"1.1.15", better, rules}, {"1.1.16", better, rules}, {"1.1.17", better, rules}, {"1.1.18", better, rules},
		{"1.2.1", left, "\"hardened\" has no answer of yes or no; host-lsm, host-updates, host-kernel and network-ufw answer parts of it"},
		{"1.2.2", better, "fails when apt knows a newer package; the other can't fail"},

		{"2.1", better, "rootless Docker passes together with 2.9; the other only reminds"},
		{"2.2", better, "goes by the bridge's options, not by the file"},
		{"2.3", better, "sees debug as well, which makes the level debug"},
		{"2.4", better, "goes by what dockerd logs when it takes a new file in, where it has"},
		{"2.5", better, "goes by what dockerd tells, not by the file"},
		{"2.6", better, "knows devicemapper and overlay as well, which Docker has dropped since"},
		{"2.7", better, "sees every -H, and the sockets that systemd hands to dockerd; fails where TLS does not ask for client certificates"},
		{"2.8", done, "manual there"},
		{"2.9", better, "goes by what dockerd tells, not by the file; rootless Docker passes"},
		{"2.10", better, "sees the key in daemon.json, which the other looks for in vain"},
		{"2.11", better, "the option belongs to a storage driver that Docker has dropped; the driver itself fails"},
		{"2.12", better, "goes by the plugins in force: SIGHUP can drop those that a flag names"},
		{"2.13", better, "knows that none is no logging at all"},
		{"2.14", better, "goes by what dockerd tells, where it does (since 23.0), not by the file"},
		{"2.15", done, ""},
		{"2.16", better, "goes by what dockerd logs when it takes a new file in, where it has"},
		{"2.17", better, "manual there, and does not know builtin, which the profile is called since 23.0"},
		{"2.18", left, "deprecated there since 19.03; molo itself turns experimental on before 27.0, because ip6tables needs it"},

		{"3.1", better, "looks at drop-ins as well"}, {"3.2", better, modes}, {"3.3", better, "looks at drop-ins as well"}, {"3.4", better, modes}, {"3.5", done, ""}, {"3.6", better, modes},
		{"3.7", better, "looks at the group as well"}, {"3.8", better, modes}, {"3.9", done, ""}, {"3.10", better, modes}, {"3.11", done, ""}, {"3.12", better, modes}, {"3.13", done, ""},
		{"3.14", better, "0000 is no less strict than 0400"}, {"3.15", better, "root:root is no less strict than root:docker"}, {"3.16", better, modes}, {"3.17", done, ""}, {"3.18", better, modes},
		{"3.19", done, ""}, {"3.20", better, modes}, {"3.21", done, ""}, {"3.22", better, modes}, {"3.23", done, ""}, {"3.24", better, modes},

		{"4.1", better, "sees 0:0 and root:adm, and root by another name from the process; remapped users pass"},
		{"4.2", left, "whom to trust is the owner's decision; container-image-pinned makes sure that it stays the same image"},
		{"4.3", left, "what is unnecessary can't be told from outside"},
		{"4.4", left, "takes a database of vulnerabilities and a scanner that is kept up to date"},
		{"4.5", left, "is about a variable in the shell of whoever pulls, not about the host"},
		{"4.6", done, "of level info: container-health-check judges what runs"},
		{"4.7", left, "is about a Dockerfile, which the image no longer tells word for word"},
		{"4.8", left, "takes the image apart; container-no-new-privileges takes the effect away"},
		{"4.9", left, "is about a Dockerfile, and base images begin with an ADD"},
		{"4.10", better, "looks for secrets in the environment of images, by name; the other only reminds"},
		{"4.11", left, "is about how an image was built"},
		{"4.12", left, "is about how an image was built"},

		{"5.1", done, ""},
		{"5.2", better, "does not apply where the kernel has no AppArmor, which host-lsm says once, and to privileged containers, which 5.5 is about"},
		{"5.3", better, "does not apply where the kernel has no SELinux; goes by the label, not by any security option"},
		{"5.4", better, "with a policy, by its list; container-capabilities-dropped asks for --cap-drop ALL besides"},
		{"5.5", done, ""},
		{"5.6", better, "sees what is inside these directories or around them, read-only mounts, links and volumes that stand for one"},
		{"5.7", better, "looks at processes from outside and starts none in the container"},
		{"5.8", done, "of level info: somebody has to serve port 80"},
		{"5.9", better, "fails where a port is more open than the policy says; the other fails on every published port"},
		{"5.10", done, ""},
		{"5.11", done, ""},
		{"5.12", better, "knows --cpus and quotas as well as shares"},
		{"5.13", done, ""},
		{"5.14", better, "sees IPv6"},
		{"5.15", better, "fails on always, unless-stopped and on-failure without an end"},
		{"5.16", done, ""},
		{"5.17", done, ""},
		{"5.18", better, "sees device rules and requests as well; manual there"},
		{"5.19", left, "which limits an application needs can't be told from outside; daemon-ulimits asks for defaults"},
		{"5.20", done, ""},
		{"5.21", done, ""},
		{"5.22", better, "goes by the process, too"},
		{"5.23", left, "a command of the past leaves no trace in the Engine API"},
		{"5.24", left, "a command of the past leaves no trace in the Engine API"},
		{"5.25", done, ""},
		{"5.26", better, "goes by the process: the other passes containers that are older than the setting, and those that opt out"},
		{"5.27", done, ""},
		{"5.28", better, "fails on an image that is not named by digest; manual there"},
		{"5.29", done, ""},
		{"5.30", done, "manual there"},
		{"5.31", better, "applies where users are remapped: without that there is nothing to opt out of"},
		{"5.32", better, "sees directories around the socket, and the sockets of other engines, of systemd and of D-Bus"},

		{"6.1", done, "manual there"},
		{"6.2", done, "manual there"},

		{"7.1", better, "an odd number, and few; the other counts leaders, of which there is always one"},
		{"7.2", done, ""},
		{"7.3", better, "applies to an active swarm"},
		{"7.4", left, "how many secrets there are says nothing about those that are elsewhere"},
		{"7.5", done, ""},
		{"7.6", left, "a rotation leaves no date behind"},
		{"7.7", done, "manual there"},
		{"7.8", left, "a rotation leaves no date behind"},
		{"7.9", left, "takes two networks, and the Engine API does not tell which is for what"},
	}
}

// unmodelled says of checks that are done better why the comparison on scenarios shows no
// difference, besides those whose note says that they are manual there.
func unmodelled() map[string]string {
	reminds := "only a reminder there, without a verdict"
	return map[string]string{
		"1.1.1": "what mountpoint(1) says is not among the facts",
		"1.1.2": reminds,
		"1.1.8": "about a unit there that is never there",
		"2.1":   reminds,
		"3.1":   "the scenarios know one file of a role",
		"3.3":   "the scenarios know one file of a role",
		"4.10":  reminds,
		"5.4":   "another verdict takes a policy, and the scenarios have none",
		"5.7":   "the same verdict, come by in another way",
		"5.12":  "the facts know only whether there is any bound",
	}
}

// ids lists the checks of the group cis.
func ids() []string {
	var all []string
	for _, section := range []struct {
		prefix string
		n      int
	}{{"1.1.", 18}, {"1.2.", 2}, {"2.", 18}, {"3.", 24}, {"4.", 12}, {"5.", 32}, {"6.", 2}, {"7.", 9}} {
		for i := range section.n {
			all = append(all, fmt.Sprintf("%s%d", section.prefix, i+1))
		}
	}
	return all
}

// slugsOf returns the checks of molo's that refer to a number.
func slugsOf(id string) []string {
	var all []string
	for _, c := range checks() {
		if slices.Contains(c.cis, id) {
			all = append(all, c.slug)
		}
	}
	return all
}

func TestEveryCheckOfTheBenchmarkIsCoveredOrLeftOutForAReason(t *testing.T) {
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	different := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		id, _, _ := strings.Cut(line, ":")
		different[id] = true
	}
	var got []string
	for _, row := range benchmark() {
		got = append(got, row.id)
		slugs := slugsOf(row.id)
		switch {
		case row.how == left && (row.note == "" || len(slugs) > 0):
			t.Errorf("%s: left out without a reason, or done by %v", row.id, slugs)
		case row.how != left && len(slugs) == 0:
			t.Errorf("%s: %s by no check", row.id, row.how)
		case row.how == better && row.note == "":
			t.Errorf("%s: done better, but how?", row.id)
		case row.how == better && different[row.id] == (unmodelled()[row.id] != "" || strings.Contains(row.note, "manual")):
			t.Errorf("%s: done better takes a line in testdata/differences.txt, or a reason why there is none", row.id)
		}
	}
	if !slices.Equal(got, ids()) {
		t.Errorf("the table lists %v, want %v", got, ids())
	}
	for _, c := range checks() {
		for _, id := range c.cis {
			if !slices.Contains(ids(), id) {
				t.Errorf("%s refers to %s, which the benchmark does not have", c.slug, id)
			}
		}
	}
}

func TestTheDocumentSaysWhatTheCodeDoes(t *testing.T) {
	const path = "../../docs/audit.md"
	intro, err := os.ReadFile("testdata/audit_intro.md")
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(intro)
	out.WriteString("\n## All checks\n\n| check | what should hold | level | CIS 1.6.0 |\n|---|---|---|---|\n")
	all := append(checks(), newView(Input{}).exemptions())
	for _, a := range Areas() {
		for _, c := range all {
			if c.area == a {
				fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", c.slug, c.title, c.level, strings.Join(c.cis, ", "))
			}
		}
	}
	out.WriteString("\n## The checks of docker-bench-security\n\nWhat became of each check of its group `cis`, by its number in the CIS Docker Benchmark 1.6.0:\n\n| number | | check | |\n|---|---|---|---|\n")
	for _, row := range benchmark() {
		names := ""
		for _, slug := range slugsOf(row.id) {
			names += "`" + slug + "` "
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", row.id, row.how, strings.TrimSpace(names), row.note)
	}
	golden.Check(t, path, out.String(), *update)
}
