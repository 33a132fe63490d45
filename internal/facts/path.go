package facts

// Path is a file, a directory or a socket by which Docker is controlled, and that is there.
type Path struct {
	Path string   `json:"path"`
	Use  Use      `json:"use"`
	Kind PathKind `json:"kind"`
	// Real is where the path leads, if links are on the way.
	Real  string `json:"real,omitempty"`
	Owner string `json:"owner"` // a name, or a number that has none
	Group string `json:"group"`
	Mode  uint32 `json:"mode"` // as of chmod(2), with setuid, setgid and sticky
	// Loose says what makes the path lead where others than root want: links and
	// directories on the way that belong to somebody else or that others can write.
	Loose []Loose `json:"loose,omitempty"`
}

// PathKind is what is at a path.
type PathKind string

// The kinds of paths that matter.
const (
	KindFile   PathKind = "file"
	KindDir    PathKind = "directory"
	KindSocket PathKind = "socket"
)

// Loose is a link or a directory that others than root control, or a file that has a
// second name somewhere.
type Loose struct {
	Path string `json:"path"`
	Why  string `json:"why"` // "belongs to deploy"
}

// Use is what a path is for.
type Use string

// The uses.
const (
	UseUnit        Use = "unit"            // unit files and drop-ins of dockerd and containerd
	UseDropIns     Use = "drop-ins"        // their directories
	UseConfigDir   Use = "configuration"   // /etc/docker, /etc/containerd and what is below
	UseConfig      Use = "settings"        // daemon.json, config.toml, /etc/default/docker
	UseCertificate Use = "certificate"     // of registries and of dockerd
	UseKey         Use = "key"             // that belongs to one
	UseDockerSock  Use = "docker.sock"     // whoever writes to it is root
	UseContainerd  Use = "containerd.sock" // the same
	UseRuntimeDir  Use = "runtime"         // /run/containerd
	UseDataRoot    Use = "data"            // /var/lib/docker
	UseProgram     Use = "program"         // dockerd, containerd, runc and what they start
)

// DockerSocket is how systemd makes Docker's socket at boot (systemd.socket(5)).
type DockerSocket struct {
	Group string `json:"group,omitempty"` // SocketGroup
	Mode  string `json:"mode,omitempty"`  // SocketMode
	// ModeFrom is the line that sets Mode: "/etc/systemd/system/docker.socket.d/a.conf:3".
	ModeFrom string `json:"mode_from,omitempty"`
}

// Auditd is the kernel's audit, and the daemon that writes down what it says.
type Auditd struct {
	Installed bool     `json:"installed"`         // augenrules and auditctl are there
	Running   bool     `json:"running"`           // auditd.service
	Locked    bool     `json:"locked,omitempty"`  // no rule changes before the next boot (auditctl -e 2)
	Refusal   string   `json:"refusal,omitempty"` // why the kernel does not let its audit be asked, as in a container
	Rules     []string `json:"rules,omitempty"`   // that are loaded, as auditctl -l prints them
}
