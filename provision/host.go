package provision

import (
	"context"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Host is the machine that a policy is for. It is the only way in which this
// package acts.
type Host interface {
	// Facts reads what the host is. What can't be read is listed in Facts.Unknown;
	// an error means that nothing can be said at all.
	Facts(context.Context) (facts.Facts, error)
	// Named looks at what a policy names and molo does not make.
	Named(context.Context, Named) Found
	// TLS reads the certificates of sites, and what nginx can do with them. What can't be
	// read is listed, and nothing is asked of anybody else.
	TLS(context.Context, []certificate.Want) (facts.TLS, []facts.Unread, error)
	// Refresh asks authorities when they want certificates renewed, where it is time to
	// ask again. That one does not answer is no error: it is asked again later.
	Refresh(context.Context, []certificate.Want) error
	// Read reads the states of resources; those that are not there are left out.
	Read(context.Context, []resource.ID) (Have, error)
	// Foresee says what dockerd would make of daemon.json with these changes, without
	// starting it.
	Foresee(context.Context, facts.Docker, []Change) ([]Trouble, error)
	// Check tests changes without making them.
	Check(context.Context, Check, []Change) error
	// Write makes the changes, in order, each of them whole or not at all.
	Write(context.Context, []Change) error
	// Run reloads or restarts a unit and waits until its proof holds.
	Run(context.Context, Activation) error
	// Probe asks until the answer is right or a deadline of its own passes.
	Probe(context.Context, Probe) error
}

// Named is what a policy names and molo does not make: files of the owner's that
// nginx's workers read, and addresses that applications listen on.
type Named struct {
	User      string // whom nginx's workers run as
	Files     []string
	Upstreams []policy.Address
}

// Found is what there is of what a policy names, by what it is named.
type Found struct {
	Files  map[string]facts.Access // who may read them
	Silent map[string]string       // what took no connection, and why
	Open   map[string]facts.Socket // what takes connections from elsewhere too
}

// Store keeps the Memory between runs.
type Store interface {
	// Load returns an empty Memory when there is none.
	Load(context.Context) (Memory, error)
	// Save returns when the memory would survive a power cut.
	Save(context.Context, Memory) error
}
