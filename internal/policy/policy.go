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
	Sysctl     *Sysctl
	Nginx      Nginx   // with its defaults where the block is not written
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
	AuditRules      Value[string]     // "off", "quiet" or "cis": what of Docker's files the kernel's audit watches
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

// Sysctl is the block sysctl: settings of the kernel.
type Sysctl struct {
	Range    hcl.Range
	Settings []KernelSetting // in the order of their names
}

// KernelSetting is one setting of the kernel.
type KernelSetting struct {
	// Name is its path under /proc/sys; a * in it stands for every interface.
	Name  string
	Value string // with one space between words
	// Stricter lists values that may be there instead, stricter ones last.
	Stricter []string
	Own      bool   // the owner wrote it; else it is a recommended one
	Why      string // in a sentence
	Range    hcl.Range
}
