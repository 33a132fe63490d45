// Package firewall makes the ports that Docker publishes obey UFW.
//
// Docker translates the address of a packet for a published port before UFW's
// INPUT rules could see it, so UFW has no say. Compile mirrors UFW's rules, with the
// publish blocks of the policy, into one ordered Program that matches what the
// sender addressed: conntrack keeps the original destination. A published port is
// then as open as a service of the host itself would be on that port; the port
// inside the container plays no part.
//
// A program is rendered twice per address family (Rules): into chains behind
// DOCKER-USER in the filter table, and into a guard in FORWARD of the mangle table,
// because Docker takes DOCKER-USER off the path for some 100 ms while dockerd 28 or
// later restarts with live-restore, and UFW opens FORWARD while it reloads. What UFW
// rejects or limits the guard has to let pass; where there is such a rule, the program is
// rendered once more into the security table, behind the filter. And it can be asked who
// reaches what because of which rule (Decide).
//
// What a program lets alone: connections that exist, what containers send (Docker
// decides on ICC and egress), and everything that is not addressed to a container,
// such as virtual machines behind another bridge. What it never opens: a port that
// is published on a loopback address, which before version 28 Docker leaves open to
// neighbours on the link, and a container's own address, unless a "ufw route" rule
// allows that.
//
// UFW's framework files (before.rules, after.rules) are not mirrored: they may
// open a port of the host that molo keeps shut on a container, and a hand-written
// DROP in them does not reach containers.
package firewall
