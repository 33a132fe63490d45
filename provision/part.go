// Package provision makes a host match its policy: it says what the host should
// be (Desired), compares that with what it is (Diff), and carries the difference
// out (Apply), part by part: written, checked, activated, verified, or put back.
// Everything but Apply is pure, and Apply acts only through the Host it is given.
package provision

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/nginx"
)

// The names of the parts, in the order in which they are applied: the firewall
// stands before Docker is restarted, and Docker's files are there before they are guarded.
const (
	PartKernel      = "kernel"
	PartFirewall    = "firewall"
	PartDocker      = "docker"
	PartLogs        = "logs"        // where nginx's logs are, who rotates them, which must go
	PartConfinement = "confinement" // what systemd lets nginx do
	PartNginx       = "nginx"
	PartFiles       = "files"  // who may use the files that Docker is controlled by
	PartAuditd      = "auditd" // what the kernel's audit watches of them
	// PartCertificates comes last: nginx answers the authority.
	PartCertificates = "certificates"
)

// Parts lists the names of the parts in their order.
func Parts() []string {
	return []string{PartKernel, PartFirewall, PartDocker, PartLogs, PartConfinement, PartNginx, PartFiles, PartAuditd, PartCertificates}
}

// Part is one area of the host: what it should hold, and how a change of it comes
// into force and is proven.
type Part struct {
	Name     string
	Want     []Wanted
	Checks   []Check      // run on the staged changes of all parts before anything is written
	Activate []Activation // in order; those that a change triggers are run, each until proven
	Pending  []Activation // needed although nothing differs: the service runs with something else
	// Holds are resources that molo does not give back now, and why: dockerd would lose
	// sight of what it has.
	Holds    map[resource.ID]Note
	Fallback []Probe // what must hold again after a failed change was put back
	Blocked  string  // why nothing can be done, if so
	// Against is what decides, besides the changes, whether they hold: a version of an
	// engine, the text of a file. With it, changes that had to be put back are not tried
	// again as long as it is the same.
	Against string
	// Stays says that what was written is not put back after a failure: each piece of
	// it holds by itself, and what was there before is less safe.
	Stays bool
	// Violations are what the policy does not put up with and molo can't change: they
	// make the run fail, after all has been done.
	Violations []string
	// Program is what the firewall's rules are rendered from.
	Program  *firewall.Program
	Notes    []Note
	Attached []Note // notes that only hold where something changes
	Residual []Note // notes that only hold once nothing is left to change
}

// Wanted is a resource that should be there, and what asks for it.
type Wanted struct {
	resource.Resource
	From Origin
	// Keep says that anything of molo's that is there already will do.
	Keep bool
}

// Origin is the place that asks for something: a line of the policy.
type Origin struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// From returns the origin that a source range of the policy stands for.
func From(r hcl.Range) Origin { return Origin{File: filepath.Base(r.Filename), Line: r.Start.Line} }

// String returns "policies.hcl:12", or "" for the zero Origin.
func (o Origin) String() string {
	if o.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Note is something the owner should know that is no change: a setting that waits,
// a rule that could not be understood.
type Note struct {
	Text  string `json:"text"`
	Where string `json:"where,omitempty"` // "policies.hcl:12", "/etc/ufw/user.rules:31"
}

// Verb is what is done to a service.
type Verb string

// The verbs. There is no stop: molo never takes a service down.
const (
	Reload  Verb = "reload"
	Restart Verb = "restart"
	Cut     Verb = "cut" // connections that the rules no longer allow
	// Revive starts the containers of Stops again.
	Revive Verb = "revive"
	Load   Verb = "load"   // the kernel's audit rules, from all files in rules.d
	Make   Verb = "make"   // a directory and its files, as systemd-tmpfiles is told
	Delete Verb = "delete" // the files in Files
	Reread Verb = "reread" // the unit files, by systemd
)

// Activation brings written changes into force. A reload is never turned into a
// restart by the host; a plan names which one it is.
type Activation struct {
	Unit string `json:"unit"` // "docker.service"; for Cut, Connections; for Load, LoadedRules; …
	Verb Verb   `json:"verb"`
	// Keys names the resources whose new value a reload brings into force. An empty
	// list stands for every change that no other activation of the part names. A
	// removed key never counts as reloadable: dockerd keeps its old value on SIGHUP.
	Keys []resource.ID `json:"keys,omitempty"`
	// First names changes that this must bring into force before a later restart of
	// the same unit, and that a put-back takes back last, once the unit runs again:
	// live-restore, without which dockerd stops the containers it finds at its start.
	First []resource.ID `json:"first,omitempty"`
	// Stops are containers that have to stop before a restart: dockerd would lose sight of
	// them while they run. A put-back starts them again.
	Stops       []facts.Container `json:"-"`
	Until       Probe             `json:"-"`                     // what proves it; a failure puts the part back
	Why         string            `json:"why,omitempty"`         // why it is needed, where no change explains it
	Waits       string            `json:"waits,omitempty"`       // what it waits for, if it must not be done now
	Began       time.Time         `json:"-"`                     // when the unit that runs was started; zero: it does not run
	Consequence string            `json:"consequence,omitempty"` // "3 containers keep running (live-restore)"
	// Files are, for Delete, what goes.
	Files []string `json:"files,omitempty"`
	// Rules decide, for Cut, which connections go.
	Rules *firewall.Program `json:"-"`
}

// Check is a test of staged changes. The set is closed: NginxConfig, DockerConfig.
type Check interface{ check() }

// NginxConfig is "nginx -t" on the configuration as it would be, in a mount
// namespace of its own, so that neither the live tree nor /run is touched.
type NginxConfig struct{}

// DockerConfig is "dockerd --validate" on daemon.json as it would be, with the
// flags of the unit; it is for engines since 23.0, earlier ones have no such flag.
type DockerConfig struct {
	Flags []string // dockerd's arguments
}

func (NginxConfig) check()  {}
func (DockerConfig) check() {}

// Probe is a question to the running host whose answer proves a change. The set is
// closed: DockerRuns, NginxServes, AuditLoaded.
type Probe interface{ probe() }

// DockerRuns asks the Engine API whether dockerd answers, runs with these
// settings, and still runs these containers with the ports they published.
type DockerRuns struct {
	Effective facts.Effective // only what is set is compared
	Running   []facts.Container
}

// NginxServes asks nginx on loopback which generation answers on every port, whether
// each site shows its own certificate, and whether it sends its headers exactly once.
type NginxServes struct {
	Probes     []nginx.Probe
	Handshakes []nginx.Handshake
	Sites      []nginx.Expectation
}

func (DockerRuns) probe()  {}
func (NginxServes) probe() {}
