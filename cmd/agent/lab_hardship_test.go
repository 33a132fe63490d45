package main

import (
	"strings"
	"testing"
	"time"
)

// wholeScene asks for the firewall, the daemon and a site.
const wholeScene = "firewall {}\ndocker {\n  userns_remap = \"off\"\n}\nsite \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n"

// otherScene differs from it in all three.
const otherScene = "firewall {\n  publish \"other\" {\n    ports = [9999]\n  }\n}\ndocker {\n  userns_remap = \"off\"\n  settings     = { \"max-concurrent-downloads\" = 7 }\n}\n" +
	"site \"other.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n"

// TestHardships makes a host fail in one way after the other. Every time an apply ends in
// bounded time with a message that says what is wrong, the shut port stays shut, Docker
// and nginx go on, and once it is over the next apply converges.
func TestHardships(t *testing.T) {
	everyScene(t, func(s *scene) {
		s.sh("docker run -d --name web -p 8080:80 server:1")
		s.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		s.policy(wholeScene)
		s.molo(0, "apply")
		s.disks()
		s.services()
		s.programs()
		s.memories()
	})
}

// hardship does something while the shut port is polled, applies the other policy, and
// checks what the apply says; then it undoes the hardship and applies again.
func (s *scene) hardship(name, begin, end string, want ...string) {
	s.Helper()
	s.Run(name, func(t *testing.T) {
		w := *s.world
		w.T = t
		s := &scene{&w, s.lan}
		s.policy(otherScene)
		s.sh("systemctl reset-failed docker")
		s.shut(func() {
			s.sh(begin)
			began := time.Now()
			out := s.sh("molo apply 2>&1; echo code=$?")
			if spent := time.Since(began); spent > 2*time.Minute {
				s.Errorf("the apply took %s", spent)
			}
			s.sh(end)
			s.holds("the apply", out, want...)
		}, "W tcp 8080")
		s.sh("docker ps -q --no-trunc | wc -l | grep -qx 2 && curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/ || " +
			"curl -fsS -o /dev/null -H 'Host: other.example.no' http://127.0.0.1/")
		s.molo(0, "apply")
		s.molo(0, "plan", "--detailed-exitcode")
		s.sh("curl -fsS -o /dev/null -H 'Host: other.example.no' http://127.0.0.1/")
		s.policy(wholeScene)
		s.sh("systemctl reset-failed docker")
		s.molo(0, "apply")
	})
}

func (s *scene) disks() {
	s.hardship("the disk is full where molo remembers",
		"cp -a /var/lib/molo /root/kept; mount -t tmpfs -o size=256k tmpfs /var/lib/molo; cp -a /root/kept/state.json /root/kept/rules /var/lib/molo/; dd if=/dev/zero of=/var/lib/molo/fill bs=1k 2>/dev/null; true",
		"umount /var/lib/molo", "no space left on device", "code=1")
	s.hardship("the disk is full where daemon.json is",
		"cp -a /etc/docker /root/docker; mount -t tmpfs -o size=16k tmpfs /etc/docker; cp -a /root/docker/. /etc/docker/; dd if=/dev/zero of=/etc/docker/fill bs=1k 2>/dev/null; cmp /root/docker/daemon.json /etc/docker/daemon.json",
		"cmp /root/docker/daemon.json /etc/docker/daemon.json; umount /etc/docker; rm -rf /root/docker", "x writing /etc/docker/daemon.json", "no space left on device", "code=1")
	s.hardship("/etc is read-only", "mount --bind /etc /etc && mount -o remount,bind,ro /etc", "umount /etc", "read-only file system", "code=1")
}

func (s *scene) services() {
	s.hardship("dockerd hangs", "kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)", "the Docker Engine API", "code=1")
	s.hardship("systemd can't be asked",
		"systemctl stop dbus.socket dbus.service; mount --bind /dev/null /run/systemd/private", "umount /run/systemd/private; systemctl start dbus.socket dbus.service",
		"asking systemd", "code=1")
	s.hardship("ufw reloads all the time", "(while ! test -e /run/enough; do ufw reload; done; touch /run/over) >/dev/null 2>&1 &",
		"touch /run/enough; timeout 60 sh -c 'until test -e /run/over; do sleep 0.1; done'; rm /run/enough /run/over", "code=0")
	s.hardship("ufw is disabled in the middle", "(sleep 0.1; ufw disable; touch /run/over) >/dev/null 2>&1 &",
		"timeout 60 sh -c 'until test -e /run/over; do sleep 0.1; done'; rm /run/over; ufw --force enable", "code=0")
	s.hardship("ufw is reset in the middle", "cp -a /etc/ufw /root/ufw-whole; (sleep 0.1; ufw --force reset; touch /run/over) >/dev/null 2>&1 &",
		"timeout 60 sh -c 'until test -e /run/over; do sleep 0.1; done'; rm /run/over; cp -a /root/ufw-whole/*.rules /root/ufw-whole/ufw.conf /etc/ufw/; ufw --force enable", "code=0")
}

func (s *scene) programs() {
	// A wrapper in front of the real one gives it too little memory for a big list.
	s.hardship("there is no memory to load the rules",
		`cp /etc/ufw/user.rules /root/few.rules; printf '%s\n' '*filter' ':ufw-user-input - [0:0]' '### RULES ###' >/etc/ufw/user.rules
		for i in $(seq 20000 26000); do printf '\n### tuple ### allow tcp %d 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport %d -j ACCEPT\n' $i $i; done >>/etc/ufw/user.rules
		printf '\n### END RULES ###\nCOMMIT\n' >>/etc/ufw/user.rules
		printf '#!/bin/sh\nulimit -v 12000\nexec /usr/sbin/iptables-restore "$@"\n' >/usr/local/sbin/iptables-restore; chmod +x /usr/local/sbin/iptables-restore`,
		"rm /usr/local/sbin/iptables-restore; cp /root/few.rules /etc/ufw/user.rules", "x loading the iptables rules", "code=1")
	s.hardship("somebody ends it",
		"(timeout 20 sh -c 'until grep -q max-concurrent-downloads.*7 /etc/docker/daemon.json; do :; done'; kill -TERM $(pidof molo)) >/dev/null 2>&1 &", "true", "code=1")
}

func (s *scene) memories() {
	s.hardship("what molo remembers is cut short",
		"for f in /var/lib/molo/state.json /var/lib/molo/rules/*.json; do truncate -s $(($(stat -c %s $f) / 2)) $f; done", "true", "code=0")
	s.hardship("what molo remembers is gone", "rm -rf /var/lib/molo", "true", "code=0")
}

// TestTwoAppliesOfWhichOneWaits asks who holds the lock, and waits for it.
func TestTwoAppliesOfWhichOneWaits(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy(dockerOnly)
		out := w.sh("molo apply >/tmp/first 2>&1 & pid=$!; until test -s /run/molo/lock; do :; done; molo apply 2>&1; echo code=$?; molo apply --wait 1m >/tmp/second 2>&1; echo waited=$?; wait $pid; echo first=$?")
		for _, want := range []string{"another run of molo is under way: pid ", "molo apply", "code=75", "waited=0", "first=0"} {
			if !strings.Contains(out, want) {
				w.Errorf("two applies: no %q in\n%s", want, out)
			}
		}
	})
}
