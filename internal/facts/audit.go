package facts

import (
	"net/netip"
	"time"
)

// Audit is everything an audit reads of a host. What plan and apply need of it is
// in Facts; the rest is read by the audit only.
type Audit struct {
	Read       time.Time  `json:"read"` // when
	Facts      Facts      `json:"facts"`
	Surface    Surface    `json:"surface"`
	Machine    Machine    `json:"machine"`
	Updates    Updates    `json:"updates"`
	AuditRules AuditRules `json:"audit_rules"`
	Files      []File     `json:"files,omitempty"`
	Engine     Engine     `json:"engine"`
	// DaemonListens holds the addresses of the sockets that systemd hands to dockerd.
	DaemonListens []string `json:"daemon_listens,omitempty"`
	// DaemonSockets holds the TCP sockets that dockerd listens on.
	DaemonSockets []DaemonSocket `json:"daemon_sockets,omitempty"`
	// Reloaded is the configuration, as JSON, that dockerd logged when it last took its file in
	// again; empty: it has not, or its journal could not be read. Settings that only a restart
	// takes in are there as they are in force.
	Reloaded string `json:"reloaded,omitempty"`
	// Sites is what nginx answers for the sites of the policy, by name.
	Sites map[string]SiteAnswer `json:"sites,omitempty"`
	// NginxConfiguration is all of nginx's configuration, as "nginx -T" prints it.
	NginxConfiguration string `json:"nginx_configuration,omitempty"`
	// Unread says why a source could not be read. What would have come from it is
	// zero, and says nothing.
	Unread map[Source]string `json:"unread,omitempty"`
}

// Source is where facts come from that are read, or not, together.
type Source string

// The sources.
const (
	FromEngine     Source = "the Docker Engine API"
	FromSurface    Source = "listening ports and firewall chains"
	FromMachine    Source = "the machine"
	FromUpdates    Source = "apt"
	FromAuditRules Source = "audit rules"
	FromUnits      Source = "systemd"
	FromDaemon     Source = "the sockets of dockerd"
	FromJournal    Source = "dockerd's journal"
	FromDaemonJSON Source = "/etc/docker/daemon.json"
	FromUFW        Source = "UFW's files"
	FromFirewall   Source = "the firewall rules that are loaded" // and what they mean, see package firewall
	FromTLS        Source = "the certificates of the sites"
	FromSites      Source = "what nginx answers"
	FromNginx      Source = "nginx -T"
)

// DaemonSocket is a TCP socket that dockerd listens on.
type DaemonSocket struct {
	Address netip.AddrPort `json:"address"`
	Open    bool           `json:"open,omitempty"`   // the Engine API answers there to who shows no certificate
	Unread  string         `json:"unread,omitempty"` // why that is not known
}

// SiteAnswer is what nginx answers on loopback to who asks for the first page of a site,
// and what it answers over plain HTTP.
type SiteAnswer struct {
	Status  int                 `json:"status"`
	TLS     bool                `json:"tls"`            // it came over TLS
	Leaf    string              `json:"leaf,omitempty"` // SHA-256 of the certificate that it came with, hexadecimal
	Headers map[string][]string `json:"headers,omitempty"`
	Plain   bool                `json:"plain"`           // there is an answer over plain HTTP
	Leads   string              `json:"leads,omitempty"` // where that leads: its header Location
	Problem string              `json:"problem,omitempty"`
}

// Machine is what the host runs on, and as.
type Machine struct {
	Virtualization Virtualization `json:"virtualization"`
	Boot           Boot           `json:"boot"`
	AppArmor       bool           `json:"apparmor"`          // the kernel enforces profiles
	AppArmorParser bool           `json:"apparmor_parser"`   // the program that loads them is there; Debian's docker.io only recommends it
	SELinux        string         `json:"selinux,omitempty"` // "enforcing" or "permissive"; empty: off
	CgroupVersion  int            `json:"cgroup_version"`    // 1 or 2
	Controllers    []string       `json:"controllers"`       // of control groups version 2: "memory", "pids"
	DockerGroup    []string       `json:"docker_group"`      // who is in the group docker
	Cloud          Cloud          `json:"cloud"`             // what cloud-init was told
}

// Virtualization holds what gives away a virtual machine or a container.
type Virtualization struct {
	Systemd       string `json:"systemd,omitempty"`        // as systemd says: "kvm", "lxc"; empty: none, or not asked
	Container     string `json:"container,omitempty"`      // container= of process 1, or /run/systemd/container
	OpenVZ        bool   `json:"openvz,omitempty"`         // /proc/vz without /proc/bc: inside
	UserBeans     bool   `json:"user_beancounters"`        // /proc/user_beancounters
	Hypervisor    bool   `json:"hypervisor"`               // bit 31 of CPUID leaf 1, ECX
	HypervisorAs  string `json:"hypervisor_as,omitempty"`  // /sys/hypervisor/type: "xen"
	SystemVendor  string `json:"system_vendor,omitempty"`  // DMI
	SystemProduct string `json:"system_product,omitempty"` // DMI
}

// Boot is what is installed to be booted next.
type Boot struct {
	Kernels []string `json:"kernels,omitempty"` // releases, from /boot/vmlinuz-*
	// Required holds the packages that ask for a reboot; Asked says that some did.
	Asked    bool     `json:"asked,omitempty"`
	Required []string `json:"required,omitempty"`
}

// DataRoot is where Docker keeps images, volumes and containers.
type DataRoot struct {
	Path     string `json:"path,omitempty"`
	Separate bool   `json:"separate"`         // on a file system of its own
	Unread   string `json:"unread,omitempty"` // why that is not known
}

// Cloud is where the provider runs the machine.
type Cloud struct {
	Provider string `json:"provider,omitempty"` // "openstack"
	Region   string `json:"region,omitempty"`   // "no-osl"
	Zone     string `json:"zone,omitempty"`     // "no-osl-1"
}

// Updates is how software on the host is kept up to date.
type Updates struct {
	Installed bool     `json:"installed"`         // unattended-upgrades is there
	Enabled   bool     `json:"enabled"`           // APT::Periodic::Unattended-Upgrade, unless APT::Periodic::Enable is off
	Refreshes bool     `json:"refreshes"`         // APT::Periodic::Update-Package-Lists: without new lists there is nothing to install
	Timer     string   `json:"timer,omitempty"`   // state of apt-daily-upgrade.timer
	Origins   []string `json:"origins,omitempty"` // patterns as Unattended-Upgrade::Origins-Pattern has them
	// Blacklist holds the expressions of Unattended-Upgrade::Package-Blacklist.
	Blacklist []string `json:"blacklist,omitempty"`
	// Lists is when apt last asked the archives what they have.
	Lists    time.Time `json:"lists,omitzero"`
	Packages []Package `json:"packages,omitempty"`
}

// Package is an installed package that Docker is made of.
type Package struct {
	Name      string `json:"name"`
	Installed string `json:"installed"`      // version
	Candidate string `json:"candidate"`      // the version that apt would install
	Held      bool   `json:"held,omitempty"` // by apt-mark hold
	// From are the archives that offer it, as apt knows them.
	From []Archive `json:"from,omitempty"`
}

// Archive is one suite of a package archive (deb822 Release file).
type Archive struct {
	Origin    string `json:"origin,omitempty"`    // "Docker"
	Label     string `json:"label,omitempty"`     // "Docker CE"
	Suite     string `json:"suite,omitempty"`     // "bookworm", "stable-security"
	Codename  string `json:"codename,omitempty"`  // "bookworm-security"
	Component string `json:"component,omitempty"` // "stable", "main"
	Site      string `json:"site,omitempty"`      // "download.docker.com"
}

// AuditRules are the rules of the kernel's audit, one a line as auditctl(8) writes them.
type AuditRules struct {
	Kernel []string `json:"kernel,omitempty"` // that are loaded
	Files  []string `json:"files,omitempty"`  // that are loaded at boot
	// KernelUnread says why the kernel could not be asked.
	KernelUnread string `json:"kernel_unread,omitempty"`
}

// File is the owner and the mode of a file, not its content.
type File struct {
	Role   Role   `json:"role"`
	Path   string `json:"path"`
	Owner  string `json:"owner,omitempty"` // name, or number where there is none
	Group  string `json:"group,omitempty"`
	Mode   uint32 `json:"mode"`             // the permission bits, with setuid, setgid and sticky
	Unread string `json:"unread,omitempty"` // why the rest is not known
}

// Role is what a file is for.
type Role string

// The roles.
const (
	RoleService        Role = "docker.service"
	RoleSocket         Role = "docker.socket"
	RoleConfigDir      Role = "/etc/docker"
	RoleDaemonJSON     Role = "daemon.json"
	RoleRegistryCert   Role = "registry certificate"
	RoleCACert         Role = "tlscacert"
	RoleServerCert     Role = "tlscert"
	RoleServerKey      Role = "tlskey"
	RoleDockerSock     Role = "docker.sock"
	RoleContainerdSock Role = "containerd.sock"
	RoleDefaults       Role = "/etc/default/docker"
	RoleSysconfig      Role = "/etc/sysconfig/docker"
	RoleContainerdToml Role = "containerd's config.toml"
	RoleContainerdRun  Role = "/run/containerd"
	RoleDataRoot       Role = "/var/lib/docker"
	RoleDockerd        Role = "dockerd"
	RoleContainerd     Role = "containerd"
	RoleShim           Role = "containerd-shim"
	RoleShimV1         Role = "containerd-shim-runc-v1"
	RoleShimV2         Role = "containerd-shim-runc-v2"
	RoleRunc           Role = "runc"
)
