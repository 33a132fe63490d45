package lint

import (
	"path"

	"go.yaml.in/yaml/v4"
)

// rule says which attributes of a service a check is about, and what to write there.
type rule struct {
	keys []string
	fix  string
}

// ruleOf returns the rule of a check of containers.
func ruleOf(slug string) rule {
	const takeOut = "take it out"
	return map[string]rule{
		"container-memory":               {[]string{"mem_limit", "deploy"}, "mem_limit: 512m, or as much as it needs"},
		"container-cpu":                  {[]string{"cpus", "deploy"}, "cpus: 1.0, or as many as it needs"},
		"container-pids":                 {[]string{"pids_limit", "deploy"}, "pids_limit: 200, or as many as it needs"},
		"container-restart":              {[]string{"restart"}, "restart: on-failure:5"},
		"container-health-check":         {[]string{"healthcheck"}, "healthcheck, or HEALTHCHECK in the Dockerfile"},
		"container-log-driver":           {[]string{"logging"}, "take logging out, or give json-file the option max-size"},
		"container-image-pinned":         {[]string{"image"}, "image: NAME@sha256:…"},
		"container-default-bridge":       {[]string{"network_mode"}, "take network_mode out: the project has a network of its own"},
		"container-owner":                {[]string{"labels"}, "a label that names its owner"},
		"container-privileged":           {[]string{"privileged"}, "take it out, and give it the capability or device that it needs"},
		"container-user":                 {[]string{"user"}, "user: \"1000:1000\", or USER in the Dockerfile"},
		"container-capabilities-dropped": {[]string{"cap_drop"}, "cap_drop: [ALL], and cap_add for what it needs"},
		"container-capabilities-added":   {[]string{"cap_add"}, "take it out, or allow it in containers { allowed_capabilities = [...] }"},
		"container-no-new-privileges":    {[]string{"security_opt"}, "security_opt: [\"no-new-privileges:true\"]"},
		"container-read-only":            {[]string{"read_only"}, "read_only: true, with tmpfs or volumes for what it must write"},
		"container-seccomp":              {[]string{"security_opt"}, "take seccomp:unconfined out, or give it a profile of its own"},
		"container-apparmor":             {[]string{"security_opt"}, "take apparmor:unconfined out"},
		"container-selinux":              {[]string{"security_opt"}, "take label:disable out"},
		"container-system-paths":         {[]string{"security_opt"}, "take systempaths=unconfined out"},
		"container-devices":              {[]string{"devices", "device_cgroup_rules", "gpus", "deploy"}, "take it out, unless the work is about that device"},
		"container-cgroup-parent":        {[]string{"cgroup_parent"}, takeOut},
		"container-mounts":               {[]string{"volumes"}, "mount the one file or directory that it needs, read-only, or use a volume"},
		"container-runtime-socket":       {[]string{"volumes", "use_api_socket"}, "put a proxy in between that lets only the requests through that it needs"},
		"container-propagation":          {[]string{"volumes"}, "take shared or rshared out"},
		"container-published-address":    {[]string{"ports"}, "\"127.0.0.1:PORT:PORT\", behind a site of molo's"},
		"container-privileged-ports":     {[]string{"ports"}, "publish another port, and let nginx on the host serve 80 and 443"},
		"container-host-network":         {[]string{"network_mode"}, takeOut},
		"container-host-pid":             {[]string{"pid"}, takeOut},
		"container-host-ipc":             {[]string{"ipc"}, takeOut},
		"container-host-uts":             {[]string{"uts"}, takeOut},
		"container-host-userns":          {[]string{"userns_mode"}, takeOut},
		"container-host-cgroup":          {[]string{"cgroup"}, takeOut},
	}[slug]
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// places are the lines of services, and of their attributes, by "web" and "web\nuser".
type places struct {
	first place
	at    map[string]place
	base  map[string]string // the service that a service extends
}

// placesOf finds the lines in the files. The compose file itself is the first; a
// service that extends another has the other's lines where it says nothing itself.
func placesOf(sources []Source) places {
	p := places{at: map[string]place{}, base: map[string]string{}}
	for i, s := range sources {
		if i == 0 {
			p.first = place{s.Name, 1}
		}
		var root yaml.Node
		if yaml.Unmarshal(s.Data, &root) != nil || len(root.Content) == 0 {
			continue // the loader has read it: it has a form that this does not show
		}
		p.services(s.Name, child(root.Content[0], "services"))
	}
	return p
}

func (p places) services(file string, services *yaml.Node) {
	for name, node := range pairs(services) {
		p.note(name.Value, place{file, name.Line})
		for key, value := range pairs(node) {
			p.note(name.Value+"\n"+key.Value, place{file, key.Line})
			if key.Value == "extends" && p.base[name.Value] == "" {
				p.base[name.Value] = or(child(value, "service"), value).Value
			}
		}
	}
}

func (p places) note(key string, at place) {
	if _, known := p.at[key]; !known {
		p.at[key] = at
	}
}

// of returns the line of the first of these attributes that a service has, or its own.
func (p places) of(service string, keys []string) (file string, line int) {
	at := p.first
	if own, ok := p.at[service]; ok {
		at = own
	}
	const deepest = 16 // services that extend each other in a ring are refused elsewhere
	for range deepest {
		for _, key := range keys {
			if found, ok := p.at[service+"\n"+key]; ok {
				return path.Clean(found.file), found.line
			}
		}
		if service = p.base[service]; service == "" {
			break
		}
	}
	return path.Clean(at.file), at.line
}

// pairs walks over the members of a mapping.
func pairs(n *yaml.Node) func(func(*yaml.Node, *yaml.Node) bool) {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

func child(n *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(n) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

func or(a, b *yaml.Node) *yaml.Node {
	if a != nil {
		return a
	}
	return b
}
