package main

import (
	"encoding/json"
	"net/netip"

	"molo/internal/policy"
)

// reaches is what "molo exposure --json" says, as its reader has it.
type reaches struct {
	Exposures []struct {
		Protocol string
		Address  netip.Addr
		Port     uint16
		Reach    []struct {
			Source      netip.Prefix
			SourcePorts policy.PortRange `json:"source_ports"`
			In          string
			To          netip.Prefix
			Verdict     string
		}
	}
}

func (s *scene) reaches() reaches {
	s.Helper()
	var r reaches
	if text := s.molo(0, "exposure", "--json").Stdout; json.Unmarshal([]byte(text), &r) != nil {
		s.Fatalf("reading the exposure:\n%s", text)
	}
	return r
}

// outcome reads the clauses of a published port from the top, as a person would.
func (r reaches) outcome(p probe) outcome {
	for _, e := range r.Exposures {
		if e.Protocol != p.network || e.Port != p.to.Port() || !e.Address.IsUnspecified() || e.Address.Is6() != p.to.Addr().Is6() {
			continue
		}
		for _, c := range e.Reach {
			// The kernel gives clients source ports from 32768 on.
			ports := c.SourcePorts == policy.PortRange{} || c.SourcePorts.First <= 32768 && 60999 <= c.SourcePorts.Last
			source := !c.Source.IsValid() || c.Source.Contains(p.local.Addr())
			to := !c.To.IsValid() || c.To.Contains(p.to.Addr())
			if ports && source && to && (c.In == "" || c.In == p.from.HostInterface) {
				return map[string]outcome{"allow": open, "deny": silent, "reject": refused}[c.Verdict]
			}
		}
	}
	return "not listed"
}
