package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/nginx"
)

// namedBy lists what sites name and molo does not make.
func namedBy(sites []*policy.Site, n facts.Nginx) Named {
	named := Named{User: nginx.WorkerUser(n)}
	for _, s := range sites {
		for _, r := range s.Routes() {
			if r.Auth != nil && !slices.Contains(named.Files, r.Auth.Users.V) {
				named.Files = append(named.Files, r.Auth.Users.V)
			}
			for _, b := range r.Backends {
				if !r.Remote.V && !slices.Contains(named.Upstreams, b.Address.V) {
					named.Upstreams = append(named.Upstreams, b.Address.V)
				}
			}
		}
	}
	return named
}

// guardedFiles returns what is wrong with the files that hold passwords.
func guardedFiles(sites []*policy.Site, n facts.Nginx) []string {
	user := nginx.WorkerUser(n)
	var out []string
	seen := map[string]bool{}
	for _, s := range sites {
		for _, r := range s.Routes() {
			if r.Auth == nil || seen[r.Auth.Users.V] {
				continue
			}
			users := r.Auth.Users
			seen[users.V] = true
			if access, known := n.Files[users.V]; known {
				if why := passwords(users.V, user, access); why != "" {
					out = append(out, From(users.Range).at()+why)
				}
			}
		}
	}
	return out
}

// passwords says what is wrong with a file of passwords, and what to do.
func passwords(path, user string, a facts.Access) string {
	mend := fmt.Sprintf("\nhint: chown root:%s %s && chmod 0640 %s", user, path, path)
	switch {
	case a.Problem != "":
		return fmt.Sprintf("%s could not be looked at: %s", path, a.Problem)
	case a.Missing:
		return fmt.Sprintf("%s is not there: nobody gets in\nhint: write a line for each user, such as: echo \"NAME:$(openssl passwd -6)\" >> %s", path, path)
	case a.Mode&0o007 != 0:
		return fmt.Sprintf("everybody on this host may read or write the passwords' hashes in %s (mode %04o)%s", path, a.Mode.Perm(), mend)
	case a.Mode&0o020 != 0:
		return fmt.Sprintf("%s may be written by more than its owner (mode %04o): whoever may can let anybody in%s", path, a.Mode.Perm(), mend)
	case !a.Workers:
		return fmt.Sprintf("nginx's workers run as %s and can't read %s: whoever has a password gets an error%s", user, path, mend)
	}
	return ""
}

// at returns "policies.hcl:12: ", or nothing for the zero Origin.
func (o Origin) at() string {
	if o.File == "" {
		return ""
	}
	return o.String() + ": "
}

// silentUpstreams says which applications are not there, each once, and what
// visitors get.
func silentUpstreams(sites []*policy.Site, n facts.Nginx) []Note {
	var notes []Note
	type fate struct{ address, then string }
	names := map[fate][]string{}
	where := map[fate]Origin{}
	var order []fate
	eachBackend(sites, func(s *policy.Site, r *policy.Route, at policy.Value[policy.Address]) {
		f := fate{at.V.String(), "until something does, requests get 502"}
		if n.Silent[f.address] == "" {
			return
		}
		if slices.ContainsFunc(r.Backends, func(b policy.Backend) bool { return n.Silent[b.Address.V.String()] == "" }) {
			f.then = "requests go to the others"
		}
		if names[f] == nil {
			order, where[f] = append(order, f), From(at.Range)
		}
		names[f] = append(names[f], s.Name.V)
	})
	for _, f := range order {
		notes = append(notes, Note{
			Text:  fmt.Sprintf("nothing answers on %s (%s), where %s should be: %s", f.address, n.Silent[f.address], some(names[f]), f.then),
			Where: where[f].String(),
		})
	}
	return notes
}

// some lists names, or the first few of many.
func some(names []string) string {
	const few = 3
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > few+1 {
		return fmt.Sprintf("%s and %d others", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}

// eachBackend visits every backend, each where it is written.
func eachBackend(sites []*policy.Site, visit func(*policy.Site, *policy.Route, policy.Value[policy.Address])) {
	for _, s := range sites {
		seen := map[hcl.Range]bool{}
		for _, r := range s.Routes() {
			for _, b := range r.Backends {
				if !seen[b.Address.Range] {
					visit(s, &r, b.Address)
				}
				seen[b.Address.Range] = true
			}
		}
	}
}

// openUpstreams returns which applications can be asked past nginx: those that Docker
// publishes to the world, those that listen on all addresses of the host, and those on
// other machines. A firewall may be in front of them, and may be gone tomorrow.
func openUpstreams(sites []*policy.Site, d facts.Docker, listens map[string]facts.Socket) []string {
	var out []string
	eachBackend(sites, func(s *policy.Site, r *policy.Route, at policy.Value[policy.Address]) {
		if at.V.Socket != "" {
			return
		}
		where := fmt.Sprintf("%ssite %q: ", From(at.Range).at(), s.Name.V)
		owners := ownersOf(at.V, d)
		published := false
		for _, o := range owners {
			if p, open := o.published(); open {
				published = true
				out = append(out, fmt.Sprintf("%scontainer %s publishes port %d on %s, where it can be asked past nginx and its headers\nhint: publish it with -p 127.0.0.1:%d:%d alone",
					where, o.container.Name, p.Port, world(p), at.V.TCP.Port(), p.Container))
			}
		}
		if socket, open := listens[at.V.String()]; open && !published {
			out = append(out, fmt.Sprintf("%s%s listens on port %d of all addresses, where it can be asked past nginx and its headers\nhint: have it listen on %s alone", where, listener(socket, d), socket.Port, at.V))
		}
		if !at.V.Local() && len(owners) == 0 && !r.Remote.V && !d.Blind {
			out = append(out, fmt.Sprintf("%supstream %s is neither loopback nor a container's address, so others may read or change what is sent there\nhint: write remote = true if it is meant to be another machine, and protocol = \"https\"", where, at.V))
		}
	})
	return out
}

// listener says whose a socket is.
func listener(s facts.Socket, d facts.Docker) string {
	for _, c := range d.Containers {
		if s.Container != "" && c.ID == s.Container {
			return "container " + c.Name
		}
	}
	if s.Process == "" {
		return "something"
	}
	return "the process " + s.Process
}

// owner is a container that takes what is sent to an upstream, and the port inside.
type owner struct {
	container facts.Container
	port      uint16
}

// ownersOf returns the containers that an address leads to.
func ownersOf(at policy.Address, d facts.Docker) []owner {
	var out []owner
	for _, c := range d.Containers {
		for _, e := range c.Endpoints {
			if slices.Contains(e.Addresses, at.TCP.Addr()) {
				out = append(out, owner{c, at.TCP.Port()})
			}
		}
		for _, p := range c.Published {
			here := p.Address == at.TCP.Addr() || at.Local() && p.Address.IsUnspecified() && p.Address.Is4() == at.TCP.Addr().Is4()
			if p.Protocol == "tcp" && p.Port == at.TCP.Port() && here && !slices.ContainsFunc(out, func(o owner) bool { return o.container.ID == c.ID }) {
				out = append(out, owner{c, p.Container})
			}
		}
	}
	return out
}

// published returns a place other than loopback on which the owner's port is published.
func (o owner) published() (facts.Publish, bool) {
	for _, p := range o.container.Published {
		if p.Protocol == "tcp" && p.Container == o.port && !p.Address.IsLoopback() {
			return p, true
		}
	}
	return facts.Publish{}, false
}

// world names the addresses that a port is published on.
func world(p facts.Publish) string {
	if p.Address.IsUnspecified() {
		return "all addresses"
	}
	return strings.TrimSpace(p.Address.String())
}
