package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// verify is what systemd has to say about molo's units and about ordering cycles when
// everything on a host that could be at odds with them is turned on: cloud-init, networkd
// and what waits for it, UFW, Docker, nginx. (The host's own turning on stays as it is.)
const verify = `rm -rf /root/units; cp -a /etc/systemd/system /root/units; cd /root/units; mkdir -p multi-user.target.wants docker.service.wants network-online.target.wants
for unit in cloud-init.target systemd-networkd.service ufw.service docker.service nginx.service ssh.service molo.target molo-firewall.service $ALSO; do ln -sf /usr/lib/systemd/system/$unit multi-user.target.wants/; done
ln -sf /usr/lib/systemd/system/systemd-networkd-wait-online.service network-online.target.wants/
ln -sf /usr/lib/systemd/system/molo-firewall.service /usr/lib/systemd/system/molo-docker.service docker.service.wants/
for unit in cloud-init-local cloud-init cloud-init-main cloud-init-network cloud-config cloud-final; do mkdir -p cloud-init.target.wants; test -e /usr/lib/systemd/system/$unit.service && ln -sf /usr/lib/systemd/system/$unit.service cloud-init.target.wants/; done
SYSTEMD_UNIT_PATH=/root/units:/usr/lib/systemd/system systemd-analyze verify --man=no multi-user.target /usr/lib/systemd/system/molo* 2>&1 | grep -e molo -e cycle -e deleted; rm -r /root/units`

// unitsAreSound checks the units as systemd does, and that it would have found a mistake.
func (s *scene) unitsAreSound() {
	s.Helper()
	if said := s.sh("ALSO= \n" + verify); said != "" {
		s.Errorf("systemd says of the units:\n%s", said)
	}
	s.write("/usr/lib/systemd/system/cyclic.service", "[Unit]\nAfter=cloud-final.service\n[Service]\nType=oneshot\nExecStart=true\n")
	s.holds("a unit that waits for cloud-init", s.sh("ALSO=cyclic.service \n"+verify), "ordering cycle")
	s.sh("rm /usr/lib/systemd/system/cyclic.service")
	const exposed = "for unit in /usr/lib/systemd/system/molo*.service; do SYSTEMD_UNIT_PATH=/usr/lib/systemd/system systemd-analyze security --no-pager --offline=yes --threshold=$LIMIT $unit | tail -n 1; done"
	s.sh("set -e; LIMIT=35\n" + strings.ReplaceAll(exposed, "| tail -n 1", ">/dev/null"))
	s.Log(s.sh("LIMIT=35\n" + exposed))
	s.sh("! SYSTEMD_UNIT_PATH=/usr/lib/systemd/system systemd-analyze security --no-pager --offline=yes --threshold=5 /usr/lib/systemd/system/molo.service >/dev/null")
}

// TestTheSandboxLetsARunDoItsWork has systemd run molo, in its sandbox, through all that a
// run may have to do: rules of either flavour of iptables, connections to cut, packets from
// a network namespace, "nginx -t" in a mount namespace, "dockerd --validate", files of the
// owner's anywhere.
func TestTheSandboxLetsARunDoItsWork(t *testing.T) {
	everyPackaged(t, func(s *scene) {
		s.sh("docker run -d --name web -p 8080:80 server:1; docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		s.sh("ufw allow 22/tcp && ufw allow 8080/tcp && ufw --force enable && dpkg -i /root/molo.deb")
		s.sh("useradd --create-home owner && echo '{}' >/etc/docker/daemon.json && chown owner /etc/docker/daemon.json && chmod 600 /etc/docker/daemon.json")
		s.sh("install -d -o www-data -m 700 /srv/logs && printf 'access_log /home/owner/access.log;\nerror_log /srv/logs/error.log;\n' >/etc/nginx/conf.d/logs.conf && nginx -t -q")
		s.policy(wholePolicy)
		s.unitRun("firewall changed docker changed nginx changed")
		s.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")

		held := s.stream(8080, "x")
		s.sh("ufw delete allow 8080/tcp")
		s.policy(strings.ReplaceAll(wholePolicy, "docker {}", "docker {\n  log {\n    max_size = \"20m\"\n  }\n}"))
		s.unitRun("firewall changed docker changed nginx ok")
		s.ends(held)

		s.sh("systemctl stop docker docker.socket; ufw --force disable; molo uninstall --yes --only firewall >/dev/null")
		s.sh("for six in '' 6; do for table in filter nat mangle raw; do ip${six}tables -t $table -F; ip${six}tables -t $table -X; done; update-alternatives --set ip${six}tables /usr/sbin/ip${six}tables-legacy; done")
		s.sh("rm -f /run/xtables.lock; ufw --force enable; systemctl reset-failed docker; systemctl start docker; docker start web")
		s.unitRun("firewall changed docker ok nginx ok")
		s.expect(map[string]outcome{"W tcp 8080": silent})
		if rules := s.sh("iptables-legacy-save; ip6tables-legacy-save"); strings.Count(rules, "-A DOCKER-USER -j MOLO\n") != 2 {
			s.Errorf("molo's rules are not where Docker's are:\n%s", rules)
		}
		s.sh("systemctl start molo-firewall.service && systemctl is-active molo-firewall.service")
	})
}

// unitRun starts molo.service and checks what became of the parts, that all could be read,
// and that the rules were proven with packets.
func (s *scene) unitRun(want string) {
	s.Helper()
	s.sh("systemctl start molo.service || { journalctl -u molo.service -n 40 --no-pager -o cat; exit 1; }")
	const digest = `python3 -c 'import json; r = json.load(open("/var/lib/molo/last-run.json")); print(*[x for p in r["parts"] if p["part"] in ("firewall", "docker", "nginx") or p["status"] not in ("ok", "changed") for x in (p["part"], p["status"])]); print(*[n["text"] for p in r["parts"] for n in p.get("notes") or [] if "not proven" in n["text"]], *[p["unread"] for p in r["parts"] if p.get("unread")])'`
	if got := strings.TrimSpace(s.sh(digest)); got != want {
		s.Errorf("the run: %s\nwant: %s", got, want)
	}
	s.molo(0, "plan", "--detailed-exitcode")
}

// ends checks that a connection on which the server goes on sending has ended.
func (s *scene) ends(conn net.Conn) {
	s.Helper()
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	io.Copy(io.Discard, conn) // what was under way
	conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	if n, err := io.CopyN(io.Discard, conn, 100); err == nil {
		s.Errorf("the connection goes on: %d bytes", n)
	}
}

// TestSandboxesAreOne compares what the two units that change the host may do: a rule that
// is missing in one of them would go unnoticed until the next boot.
func TestSandboxesAreOne(t *testing.T) {
	sandbox := func(name string) []string {
		text, err := os.ReadFile(filepath.Join("../../templates/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		_, lines, found := strings.Cut(string(text), "\nCapabilityBoundingSet=")
		if !found {
			t.Fatalf("%s has no sandbox", name)
		}
		lines, _, _ = strings.Cut(lines, "\n\n")
		return strings.Split(strings.TrimSpace(lines), "\n")
	}
	for _, pair := range [][2]string{{"molo.service", "molo-firewall.service"}, {"molo-watch.service", "molo-docker.service"}} {
		one, other := sandbox(pair[0]), sandbox(pair[1])
		if !slices.Equal(one, other) {
			t.Errorf("%s:\n%q\n%s:\n%q", pair[0], one, pair[1], other)
		}
	}
}
