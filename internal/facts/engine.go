package facts

import "time"

// Engine is what only an audit asks the Docker Engine API.
type Engine struct {
	DataRoot             DataRoot          `json:"data_root"`
	StorageDriver        string            `json:"storage_driver,omitempty"`
	SecurityOptions      []string          `json:"security_options,omitempty"` // "name=seccomp,profile=builtin"
	InsecureRegistries   []string          `json:"insecure_registries,omitempty"`
	AuthorizationPlugins []string          `json:"authorization_plugins,omitempty"`
	MemoryLimit          bool              `json:"memory_limit"` // the kernel can bound containers' memory
	PidsLimit            bool              `json:"pids_limit"`
	Debug                bool              `json:"debug,omitempty"`
	Swarm                Swarm             `json:"swarm"`
	Containers           []ContainerDetail `json:"containers,omitempty"` // that run, are paused or restart
	Networks             []NetworkDetail   `json:"networks,omitempty"`
	Images               []Image           `json:"images,omitempty"`
	Volumes              []Volume          `json:"volumes,omitempty"`
}

// Swarm is the swarm that the engine belongs to.
type Swarm struct {
	Active bool `json:"active"` // it is part of one, whether that works at the moment or not
	// State is what keeps a part of one from working: "locked", "pending" or "error".
	State    string `json:"state,omitempty"`
	Manager  bool   `json:"manager,omitempty"`
	Managers int    `json:"managers,omitempty"`
	AutoLock bool   `json:"auto_lock,omitempty"` // told to managers
	// CertificateExpiry is how long a node's certificate lasts; told to managers.
	CertificateExpiry time.Duration `json:"certificate_expiry,omitempty"`
}

// ContainerDetail is how a container was created and how it runs.
type ContainerDetail struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Image   string            `json:"image"`    // as it was named when the container was created
	ImageID string            `json:"image_id"` // "sha256:…"
	Labels  map[string]string `json:"labels,omitempty"`
	// Published holds the ports as they are open now.
	Published []Publish `json:"published,omitempty"`

	User            string            `json:"user"`
	Privileged      bool              `json:"privileged,omitempty"`
	CapAdd          []string          `json:"cap_add,omitempty"`
	CapDrop         []string          `json:"cap_drop,omitempty"`
	SecurityOpt     []string          `json:"security_opt,omitempty"`
	AppArmorProfile string            `json:"apparmor_profile,omitempty"`
	ProcessLabel    string            `json:"process_label,omitempty"` // SELinux
	Unmasked        bool              `json:"unmasked,omitempty"`      // /proc and /sys are open to it (systempaths=unconfined)
	ReadOnly        bool              `json:"read_only,omitempty"`
	Memory          int64             `json:"memory,omitempty"` // bytes; 0: no bound
	CPU             bool              `json:"cpu,omitempty"`    // its share of the processors is set
	Pids            int64             `json:"pids,omitempty"`   // 0 or less: no bound
	Network         string            `json:"network"`          // the mode: "bridge", "host", "back"
	PidMode         string            `json:"pid_mode,omitempty"`
	IpcMode         string            `json:"ipc_mode,omitempty"`
	UTSMode         string            `json:"uts_mode,omitempty"`
	UsernsMode      string            `json:"userns_mode,omitempty"`
	CgroupnsMode    string            `json:"cgroupns_mode,omitempty"`
	CgroupParent    string            `json:"cgroup_parent,omitempty"`
	Devices         []string          `json:"devices,omitempty"` // of the host, and rules and requests for some
	Mounts          []Mount           `json:"mounts,omitempty"`
	Restart         string            `json:"restart,omitempty"` // "no", "always", "on-failure", "unless-stopped"
	Retries         int               `json:"retries,omitempty"`
	LogDriver       string            `json:"log_driver,omitempty"`
	LogOpts         map[string]string `json:"log_opts,omitempty"`
	HealthCheck     bool              `json:"health_check,omitempty"`

	Process Process `json:"process"`
	// Unread says why nothing of it is known but its ID, name and image.
	Unread string `json:"unread,omitempty"`
}

// Process is the main process of a container, as the host's kernel sees it.
type Process struct {
	PID             int    `json:"pid,omitempty"`    // 0: it does not run at the moment, and nothing below is known
	Unread          string `json:"unread,omitempty"` // why nothing below is known of one that runs
	UID             int    `json:"uid"`              // effective, in the host's user namespace
	NoNewPrivileges bool   `json:"no_new_privileges"`
	Seccomp         int    `json:"seccomp"`        // 0 off, 1 strict, 2 a filter
	SSHD            bool   `json:"sshd,omitempty"` // a process of that name is in the container
}

// Mount is something of the host that a container sees.
type Mount struct {
	Type        string `json:"type"`             // "bind", "volume", "tmpfs"
	Volume      string `json:"volume,omitempty"` // its name
	Source      string `json:"source,omitempty"` // on the host
	Real        string `json:"real,omitempty"`   // Source with its symbolic links followed, where that differs
	Destination string `json:"destination"`      // in the container
	Writable    bool   `json:"writable,omitempty"`
	Propagation string `json:"propagation,omitempty"` // "rprivate", "shared"
}

// NetworkDetail is how a Docker network was created.
type NetworkDetail struct {
	Name    string            `json:"name"`
	Driver  string            `json:"driver"`
	Options map[string]string `json:"options,omitempty"`
	// Containers counts those on it that run.
	Containers int `json:"containers"`
}

// Image is an image on the host.
type Image struct {
	ID          string            `json:"id"`
	Tags        []string          `json:"tags,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Used        bool              `json:"used"` // a container was made from it
	HealthCheck bool              `json:"health_check"`
	// Environment names the variables that it sets to something; values are not read.
	Environment []string `json:"environment,omitempty"`
	Unread      string   `json:"unread,omitempty"` // why the three above are not known
}

// Volume is a named volume.
type Volume struct {
	Name string `json:"name"`
	// Device is what of the host a volume of the driver local stands for (o=bind).
	Device string `json:"device,omitempty"`
}
