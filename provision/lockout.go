package provision

import (
	"fmt"
	"slices"

	"molo/firewall"
	"molo/internal/facts"
)

// Lockout says how a plan would cut a connection that leads to a container, and "" if it
// would not.
func Lockout(plan Plan, f facts.Facts, session facts.Flow) string {
	for _, s := range plan {
		if s.Part.Program != nil && len(s.Changes) > 0 {
			verdict, why := s.Part.Program.Decide(packetOf(session))
			if verdict == firewall.Deny || verdict == firewall.Reject {
				return fmt.Sprintf("port %d/%s would be shut to %s because of %s", session.Original.Port(), session.Protocol, session.Source.Addr(), why)
			}
		}
		for _, a := range s.Activate {
			if stops := stopped(a, f.Docker, session); stops != "" {
				return fmt.Sprintf("the %s of %s would stop container %s", a.Verb, a.Unit, stops)
			}
		}
	}
	return ""
}

// stopped names the container that a connection leads to, if an activation stops it.
func stopped(a Activation, d facts.Docker, session facts.Flow) string {
	if a.Unit != DockerUnit || a.Verb != Restart {
		return ""
	}
	until, _ := a.Until.(DockerRuns)
	for _, c := range running(d) {
		leads := slices.ContainsFunc(c.Endpoints, func(e facts.Endpoint) bool { return slices.Contains(e.Addresses, session.Container.Addr()) })
		stays := slices.ContainsFunc(until.Running, func(o facts.Container) bool { return o.ID == c.ID })
		if leads && !stays {
			return c.Name
		}
	}
	return ""
}

// packetOf is a packet that would open a connection anew.
func packetOf(f facts.Flow) firewall.Packet {
	return firewall.Packet{Protocol: firewall.PortProtocol(f.Protocol), Source: f.Source, Original: f.Original, Destination: f.Container, In: f.In, Out: f.Out}
}
