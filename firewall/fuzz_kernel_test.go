package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/resource"
)

// TestSpoiledRuleFilesOpenNothingThatUFWDoesNot spoils rule files here and there. Where
// molo still accepts one, the kernel is given the file as ufw-init gives it: a packet
// that reaches a container's published port must reach a port of the host, too. A file
// that iptables-restore refuses leaves UFW without rules, which denies everything.
func TestSpoiledRuleFilesOpenNothingThatUFWDoesNot(t *testing.T) {
	t.Parallel()
	own, docker := newWorld(t, "nft"), newWorld(t, "nft")
	ports := []uint16{8000, 8001, 8002, 8003, 8004, 8005, 8006, 8007}
	own.ports = publishAll(ports...)
	own.runUFW(t, ports)
	docker.publish(t, publishAll(ports...)...)
	random := rand.New(rand.NewPCG(46, 58))
	accepted, opened := 0, 0
	for round := range 400 {
		tuples := randomTuples(random, 6)
		for i, tuple := range tuples {
			tuples[i] = strings.TrimPrefix(tuple, "route:")
		}
		u := activeUFW(tuplesFor(tuples...)...)
		u.Rules4 = spoil(random, u.Rules4)
		program, err := firewall.Compile(block("ufw"), dockerHost(u))
		if err != nil {
			continue
		}
		if accepted++; accepted > 16 {
			break
		}
		own.loadAsUFW(t, u.Rules4)
		docker.load(t, program)
		var wanted, host []*attempt
		for i := range 24 {
			from, to := pick(random, "INTERNET", "EVIL", "LAN", "OFFICE"), fmt.Sprintf("%s:%d", pick(random, "HOST", "HOST2"), 8000+random.IntN(8))
			source := uint16(10000 + round*24 + i)
			wanted = append(wanted, docker.attempt(resource.IPv4, firewall.TCP, from, to, source))
			host = append(host, own.attempt(resource.IPv4, firewall.TCP, from, to, source))
		}
		for i, a := range wanted {
			verdict, _ := program.Decide(a.packet)
			a.want, host[i].want = expected(verdict), expected(verdict)
		}
		tryAll(append(wanted, host...))
		for i, a := range wanted {
			if a.got == open {
				opened++
			}
			if a.got == open && host[i].got != open {
				t.Errorf("%s is open, but a port of the host is %s, under\n%s", a.name, host[i].got, u.Rules4)
			}
		}
	}
	if accepted < 16 || opened < 20 {
		t.Errorf("only %d files were accepted, and %d packets got through: that says little", accepted, opened)
	}
}

// loadAsUFW does what ufw-init does with the file.
func (w *world) loadAsUFW(t *testing.T, text string) {
	t.Helper()
	if _, err := w.host.run(text, w.tool(resource.IPv4, "restore"), "--noflush"); err != nil {
		w.host.restore(t, w.tool(resource.IPv4, "restore"), "*filter\n:ufw-user-input - [0:0]\nCOMMIT\n")
	}
}

// spoil changes a file the way people, broken disks and other programs do.
func spoil(random *rand.Rand, text string) string {
	lines := strings.Split(text, "\n")
	first := 0
	for i, l := range lines {
		if l == "### RULES ###" {
			first = i
		}
	}
	for range 1 + random.IntN(2) {
		i := first + random.IntN(len(lines)-first)
		words := strings.Fields(lines[i])
		switch kind := random.IntN(9); {
		case kind == 0:
			lines[i] = ""
		case kind == 1:
			lines[i] += "\n" + lines[i]
		case kind == 2:
			j := first + random.IntN(len(lines)-first)
			lines[i], lines[j] = lines[j], lines[i]
		case kind == 3:
			lines[i] = lines[i][:random.IntN(len(lines[i])+1)]
		case kind == 4 && len(words) > 1:
			words[random.IntN(len(words))] = pick(random, "8000", "8001:8007", "ACCEPT", "DROP", "allow", "deny", "any", "tcp", "0.0.0.0/0", "!", "-s", "--dport")
			lines[i] = strings.Join(words, " ")
		case kind == 5:
			lines[i] = strings.Replace(lines[i], "800", "80", 1)
		case kind == 6:
			lines[i] = strings.NewReplacer("allow", "deny", "deny", "allow").Replace(lines[i])
		case kind == 7:
			lines[i] = strings.NewReplacer("ACCEPT", "DROP", "DROP", "ACCEPT").Replace(lines[i])
		default:
			lines[i] = "#" + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}
