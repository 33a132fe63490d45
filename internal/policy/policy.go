// Package policy turns policies.hcl into a typed Policy. Every value keeps the
// place in the source it came from, so that a plan, hours later, can still name
// the line that asked for a change.
package policy

import (
	"encoding/json"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// Policy is what a host must be. A nil block is one the owner did not write: molo
// leaves that area alone.
type Policy struct {
	Docker     *Docker
	Firewall   *Firewall
	Sites      []*Site // in the order of their names
	Containers *Containers
	Host       *HostRules
	Exemptions []*Exemption // in source order
}

// Value is a value with the place it was written at. (Generic, because every
// attribute of every block has one.)
type Value[T any] struct {
	V     T
	Range hcl.Range // of the attribute, or of the block's header where the default holds
	Set   bool      // false: the default holds
}

// Docker is the block docker: how the daemon must be configured.
type Docker struct {
	Range           hcl.Range
	ICC             Value[bool]       // icc: containers on docker0 may talk to each other
	NoNewPrivileges Value[bool]       // no-new-privileges for new containers
	LiveRestore     Value[bool]       // live-restore: containers outlive the daemon
	PublishAddress  Value[netip.Addr] // "ip": where ports are published unless the container says
	UsernsRemap     Value[string]     // "auto", "off", "default", or a user
	UsernsMigration Value[bool]       // containers may be stopped and data go out of sight for userns_remap
	Restart         Value[string]     // "auto", "window" or "manual"
	Window          Value[Window]     // when dockerd may be restarted; with Restart "window" only
	Log             Log               // the block log
	Settings        Value[[]Setting]  // any other key of daemon.json
}

// Log is the block log of docker: the default logging driver and its bounds.
type Log struct {
	Driver  Value[string] // "local", "json-file", "journald", …
	MaxSize Value[string] // as Docker spells it: "10m"; only with local and json-file
	MaxFile Value[int]    // only with local and json-file
}

// Setting is one entry of settings: a top-level key of daemon.json that molo has
// no attribute for.
type Setting struct {
	Key   string
	Value json.RawMessage
	Range hcl.Range // of the key
}

// Firewall is the block firewall: who may reach published ports.
type Firewall struct {
	Range          hcl.Range
	PublishedPorts Value[string] // "ufw" or "closed"
	Publish        []Publish     // in source order

	WhenUFWInactive     Value[string]     // "deny", "follow" or "keep"
	InterNetwork        Value[string]     // "docker" or "ufw": from one Docker network to another's published ports
	TrustedInterfaces   Value[[]string]   // links from which every published port may be reached
	AllowFromContainers Value[[]HostPort] // the host's own ports that containers may reach
	ExtraBridges        Value[[]string]   // bridges of containers that Docker does not tell of
	Macvlan             Value[string]     // "warn" or "fail"
	Log                 Value[bool]       // what is refused is logged, as far as UFW logs
	CutEstablished      Value[bool]       // connections to ports that close end
}

// HostPort is a port, or a range, of the host's own.
type HostPort struct {
	Protocol string // "tcp" or "udp"
	Ports    PortRange
}

// Publish is a block publish: published ports that are open whatever UFW says.
type Publish struct {
	Name     Value[string]
	Ports    Value[[]PortRange]
	Protocol Value[string]         // "tcp" or "udp"
	From     Value[[]netip.Prefix] // empty: from everywhere
	Range    hcl.Range
}

// PortRange is a range of ports, both ends included; a single port is First == Last.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// Site is a block site: one name served by nginx, proxied to one upstream.
type Site struct {
	Name     Value[string]         // a host name in lower-case ASCII (IDNA A-labels)
	Upstream Value[netip.AddrPort] // loopback
	Port     Value[uint16]         // the port served in plain HTTP
	MaxBody  Value[int64]          // largest request body, bytes
	Headers  []Header              // the complete response header set, in the order of the table
	Range    hcl.Range
}

// Header is one response header of a site. The content security policy is called
// Content-Security-Policy-Report-Only as long as its default holds.
type Header struct {
	Name  string        // "X-Frame-Options"
	Value Value[string] // "" when the policy turned it off
}
