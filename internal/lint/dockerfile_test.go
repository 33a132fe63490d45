package lint

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"molo/internal/audit"
	"molo/internal/policy"
)

// asks is a policy that asks for everything that files can say, on a host where root
// in a container is root.
const asks = "containers {\n}\n\ndocker {\n  userns_remap = \"off\"\n}\n"

func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	if text == "" {
		return nil
	}
	p, diags := policy.ParseChecked([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}}, audit.Slugs())
	if p == nil {
		t.Fatal(diags)
	}
	return p
}

// short spells findings, one a line.
func short(all []Finding) string {
	var out strings.Builder
	for _, f := range all {
		fmt.Fprintf(&out, "%d %s %s: %s\n", f.Line, f.Level, f.Rule, f.Text)
	}
	return out.String()
}

const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"

func TestDockerfiles(t *testing.T) {
	const good = "\nUSER 1000\nHEALTHCHECK CMD /ok\n"
	for name, c := range map[string]struct{ policy, text, want string }{
		"one with nothing wrong": {"", "FROM debian:13" + digest + good, ""},
		"from nothing":           {"", "FROM scratch" + good, ""},
		"no tag":                 {"", "FROM debian" + good, "1 recommended image-base-pinned: FROM debian is another image tomorrow\n"},
		"the tag latest of a registry with a port": {"", "FROM registry.example.no:5000/debian:latest" + good, "1 recommended image-base-pinned: FROM registry.example.no:5000/debian:latest is another image tomorrow\n"},
		"a registry with a port and no tag":        {"", "FROM registry.example.no:5000/debian" + good, "1 recommended image-base-pinned: FROM registry.example.no:5000/debian is another image tomorrow\n"},
		"a tag":                                    {asks, "FROM debian:13" + good, "1 info image-base-pinned: FROM debian:13 the tag can be moved to another image\n"},
		"a tag from an argument":                   {"", "ARG V=13" + digest + "\nFROM debian:$V" + good, ""},
		"latest from an argument":                  {"", "ARG V=latest\nFROM debian:${V}" + good, "2 recommended image-base-pinned: FROM debian:${V} is another image tomorrow\n"},
		"an argument without a value":              {"", "ARG IMAGE\nFROM ${IMAGE}" + good, "2 recommended image-base-pinned: FROM ${IMAGE} has no image where nothing is said when it is built\n"},
		"no user":                                  {"", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok", "1 recommended container-user: no USER: it runs as root unless the image that it begins with says otherwise\n"},
		"root, where the policy asks":              {asks, "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER root", "3 required container-user: USER root is root\n"},
		"root, where the policy lets it":           {"containers {\n  non_root = false\n}\n", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER root", ""},
		"root, where users are remapped":           {"containers {}\ndocker {}\n", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER root", ""},
		"0":                                        {"", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER 0", "3 recommended container-user: USER 0 is root\n"},
		"0:0":                                      {"", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER 0:0", "3 recommended container-user: USER 0:0 is root\n"},
		"the last user counts":                     {"", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nUSER root\nUSER app", ""},
		"a user from the environment":              {"", "FROM debian" + digest + "\nHEALTHCHECK CMD /ok\nENV WHO=root\nUSER $WHO", "4 recommended container-user: USER $WHO is root\n"},
		"a user from an argument of all stages":    {"", "ARG WHO=app\nFROM debian" + digest + "\nARG WHO\nHEALTHCHECK CMD /ok\nUSER $WHO", ""},
		"a user of another stage":                  {"", "FROM debian" + digest + " AS a" + good + "FROM debian" + digest, "4 recommended container-user: no USER: it runs as root unless the image that it begins with says otherwise\n4 info image-health-check: no HEALTHCHECK\n"},
		"a user of the stage that it begins with":  {"", "FROM debian" + digest + " AS a" + good + "FROM A", ""},
		"the health check taken out":               {"", "FROM debian" + digest + "\nUSER app\nHEALTHCHECK NONE", "3 info image-health-check: HEALTHCHECK NONE\n"},
		"something from an address":                {"", "FROM scratch" + good + "ADD https://example.no/x /", "4 recommended image-add-url: adds what is at an address then, unchecked\n"},
		"something from an address, checked":       {"", "FROM scratch" + good + "ADD --checksum=sha256:" + strings.Repeat("0", 64) + " https://example.no/x /", ""},
		"a secret in the environment":              {"", "FROM scratch" + good + "ENV A=b DB_PASSWORD=correct-horse", "4 recommended image-secrets: sets DB_PASSWORD, which everybody reads who has the image\n"},
		"a secret without a value":                 {"", "FROM scratch" + good + "ENV DB_PASSWORD=", ""},
		"a secret as an argument":                  {"", "ARG API_TOKEN\nFROM scratch\nARG NPM_TOKEN=correct-horse" + good, "1 recommended image-secrets: takes API_TOKEN as an argument, which stays in the image's history\n3 recommended image-secrets: takes NPM_TOKEN as an argument, which stays in the image's history\n"},
		"SSH":                                      {"", "FROM scratch" + good + "EXPOSE 80 22/tcp", "4 recommended container-sshd: exposes port 22, which is for SSH\n"},
		"SSH in a stage that is left behind":       {"", "FROM scratch AS a\nEXPOSE 22\nFROM scratch" + good, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Dockerfile(parse(t, c.policy), "Dockerfile", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, short(all)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range all {
				if f.Fix == "" || f.File != "Dockerfile" || strings.Contains(f.Text+f.Fix, "correct-horse") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestDockerfilesThatAreNone(t *testing.T) {
	doubling := "FROM scratch\nENV A0=xxxxxxxxxxxxxxxx\n"
	for i := range 60 {
		doubling += fmt.Sprintf("ENV A%d=$A%d$A%d\n", i+1, i, i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":                    {"", "reading x: it is not a Dockerfile that BuildKit can read"},
		"without FROM":                     {"ARG A", "reading x: there is no FROM in it"},
		"an instruction that is none":      {"FROM a\nPASSWORD correct-horse", "reading x: line 2 is not one of a Dockerfile, or lacks something"},
		"a variable without a value":       {"FROM a\nENV correct-horse", "reading x: line 2 is not one of a Dockerfile, or lacks something"},
		"one that is too long":             {"FROM a\n" + strings.Repeat("# x\n", 1<<18), "reading x: the file is longer than 1 MiB"},
		"values that double in every line": {doubling + "USER $A60", ""},
		"defaults inside defaults":         {"FROM a\nUSER " + strings.Repeat("${A:-", 10_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dockerfile(nil, "x", []byte(c.text))
			if got := fmt.Sprint(err); got != c.want && (c.want != "" || err != nil) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// unprintable reports what a terminal would obey.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

func FuzzDockerfile(f *testing.F) {
	f.Add([]byte("ARG V=1\nFROM debian:${V} AS a\nENV A=$V\nUSER $A\nFROM a\nHEALTHCHECK NONE\nEXPOSE 22"))
	f.Add([]byte("# escape=`\nFROM a\nRUN <<E\nx\nE\nADD https://a b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Dockerfile(nil, "Dockerfile", data)
		if err != nil {
			return
		}
		for _, one := range all {
			if one.Line < 1 || one.Fix == "" || one.Level == "" || strings.ContainsFunc(one.Text, unprintable) {
				t.Errorf("%+v", one)
			}
		}
	})
}
