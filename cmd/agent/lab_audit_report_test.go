package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"molo/certificate/certtest"
	"molo/internal/audit"
	"molo/internal/lab/labtest"
)

// counts says how many findings there are, in the words of the README.
func counts(r audit.Report) string {
	return fmt.Sprintf("%d fail (%d required, %d recommended, %d info), %d unknown, %d exempt, %d pass",
		r.Summary[audit.Fail], r.Failing(audit.Required), r.Failing(audit.Recommended), r.Failing(audit.Info), r.Summary[audit.Unknown], r.Summary[audit.Exempt], r.Summary[audit.Pass])
}

// TestAuditBeforeAndAfterApply holds the numbers that the README claims: a Debian host
// with Docker as it comes and two plain containers, UFW on, the example policy.
func TestAuditBeforeAndAfterApply(t *testing.T) {
	labtest.Need(t)
	h := labtest.Boot(t, "bookworm")
	w := &world{T: t, host: h}
	if err := h.Push(build(t), "/usr/bin/molo"); err != nil {
		t.Fatal(err)
	}
	labtest.Image(t, h, "server:1", "-http", ":80")
	w.sh("ufw allow 22/tcp; ufw --force enable")
	w.sh("docker run -d --name web -p 8080:80 server:1; docker run -d --name app -p 127.0.0.1:8081:80 server:1")
	policy, err := os.ReadFile("../../policies.hcl")
	if err != nil {
		t.Fatal(err)
	}
	w.policy(string(policy))

	before := w.report()
	w.molo(0, "apply")
	after := w.report("--since", "last")
	// Settings of docker0 wait until no container runs, and containers keep the settings
	// that they were made with.
	w.sh("docker rm -f web app")
	w.molo(0, "apply")
	w.sh("systemctl restart docker")
	w.sh("docker run -d --name web -p 8080:80 server:1; docker run -d --name app -p 127.0.0.1:8081:80 server:1")
	anew := w.report("--since", after.ID)
	for what, r := range map[string]audit.Report{"apply": after, "containers made anew": anew} {
		t.Logf("%s: %d new, %d fixed, %d still open, %d unknown now", what, len(r.Since.New), len(r.Since.Fixed), len(r.Since.Open), len(r.Since.Unclear))
	}
	got := "before:               " + counts(before) + "\nmolo apply:           " + counts(after) + "\ncontainers made anew: " + counts(anew) + "\n"
	t.Logf("\n%s", got)
	readme, err := os.ReadFile("../../README.md")
	if err != nil || !strings.Contains(string(readme), got) {
		t.Errorf("the README claims other numbers (%v)", err)
	}
	w.everyOutput(before.ID)
}

// everyOutput writes the report in each format on the host; a test that is run with
// -artifacts keeps them.
func (w *world) everyOutput(since string) {
	w.Helper()
	for _, format := range []string{"table", "json", "sarif", "junit", "prometheus", "html"} {
		path := "/root/audit." + format
		w.molo(0, "audit", "--fail-on", "never", "--since", since, "--format", format, "--output", path)
		text := w.read(path)
		if !strings.Contains(text, "container-user") {
			w.Errorf("%s does not name a check that fails", path)
		}
		if err := os.WriteFile(filepath.Join(w.ArtifactDir(), "audit."+format), []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	if kept := strings.Fields(w.sh("ls /var/lib/molo/audits")); len(kept) != 9 {
		w.Errorf("%d audits are kept, want 9", len(kept))
	}
}

// TestAuditOfSites breaks what nginx serves in one way after the other.
func TestAuditOfSites(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.sh(tidyNginx)
		w.sites(certtest.New(w.T))
	})
}

// sites checks the area sites, in a few states of the host.
func (w *world) sites(owner *certtest.Authority) {
	w.Helper()
	only := []string{"--only", "sites"}
	put := func(until time.Duration) {
		issued := owner.Issue(w.T, certtest.Leaf{Names: []string{"app.example.no"}, From: time.Now().Add(-60 * 24 * time.Hour), Until: time.Now().Add(until)})
		w.write("/etc/ssl/app.pem", string(issued.Chain()))
		if err := w.host.WriteFile("/etc/ssl/private/app.key", issued.Key, 0o600); err != nil {
			w.Fatal(err)
		}
	}
	w.policy("docker {}\nsite \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")
	w.molo(0, "apply")
	w.finds("a site in plain HTTP", only, "fail site-headers app.example.no")
	w.policy("docker {}\n" + ownSite)
	put(30 * 24 * time.Hour)
	w.finds("a site whose TLS has not been applied", only, "fail site-certificate app.example.no", "fail site-headers app.example.no")
	w.molo(0, "apply")
	w.finds("a site with TLS", only)
	w.same("the answer that passes", "at least 75 points (B), -25 for content-security-policy (only reported against)", w.got("site-headers"))
	put(10 * 24 * time.Hour)
	w.finds("a certificate that nginx was not told of", only, "fail site-certificate app.example.no", "fail site-certificate-renewal app.example.no")
	w.molo(0, "apply")
	w.finds("a certificate with ten days left", only, "fail site-certificate-renewal app.example.no")
	put(30 * 24 * time.Hour)
	w.molo(0, "apply")

	w.write("/etc/nginx/conf.d/other.conf", "server {\n  listen 80;\n  server_name other.example.no;\n  server_tokens off;\n  location / {\n    return 301 https://other.example.no$uri;\n  }\n}\n")
	w.finds("another site's slip", only, "fail site-configuration /etc/nginx/conf.d/other.conf:6")
	w.sh("rm /etc/nginx/conf.d/other.conf")
	w.sh("docker rm -f app")
	w.finds("an application that is gone", only)
	w.sh("systemctl stop nginx")
	w.finds("nginx does not run", only, "unknown site-certificate app.example.no", "unknown site-headers app.example.no")
}

// got returns what one check has found.
func (w *world) got(slug string) string {
	w.Helper()
	var report audit.Report
	r := w.molo(0, "audit", "--fail-on", "never", "--only", slug, "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || len(report.Findings) != 1 {
		w.Fatalf("%v\n%s", err, r.Stdout)
	}
	return report.Findings[0].Got
}
