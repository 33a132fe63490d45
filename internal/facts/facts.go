// Package facts says what a host is: its release, its Docker engine, its UFW, its
// nginx. Facts are plain data, read once before anything is decided; as JSON they
// are golden files in tests and the useful half of a bug report.
package facts

import (
	"io/fs"
	"net/netip"
	"time"
)

// Facts is everything molo reads of a host before it decides anything.
type Facts struct {
	Time     time.Time `json:"time"` // when they were read, in the host's time zone
	Hostname string    `json:"hostname"`
	OS       OS        `json:"os"`
	Kernel   string    `json:"kernel"` // release, as uname -r prints it
	Docker   Docker    `json:"docker"`
	UFW      UFW       `json:"ufw"`
	Nginx    Nginx     `json:"nginx"`
	Sysctl   Sysctl    `json:"sysctl,omitzero"`
	// Paths are those by which Docker is controlled.
	Paths  []Path       `json:"paths,omitempty"`
	Socket DockerSocket `json:"socket,omitzero"`
	Auditd Auditd       `json:"auditd,omitzero"`
	IPv6   bool         `json:"ipv6"` // the kernel has IPv6 and its filter tables
	// Bridges names the bridge links of the host, Docker's and others'.
	Bridges []string `json:"bridges,omitempty"`
	// Lookalikes names the links that are called br-… and are no bridges.
	Lookalikes []string `json:"lookalikes,omitempty"`
	// Uplinked names the bridges with a port that is no end of a cable to a container.
	Uplinked []string `json:"uplinked,omitempty"`
	// Offline says that these are the files of an image, not a running host: there
	// is no kernel to load rules into and no service to restart.
	Offline bool     `json:"offline,omitempty"`
	Unknown []Unread `json:"unknown,omitempty"`
}

// Unread is something that could not be read, and why; parts that need it can't be planned.
type Unread struct {
	What string `json:"what"` // "Docker Engine API", "/etc/ufw/user.rules"
	Part string `json:"part"` // the part of the plan that needs it: "docker", "firewall", "nginx", …
	Why  string `json:"why"`
}

// OS is the distribution, from os-release(5).
type OS struct {
	ID       string `json:"id"`       // "debian"
	Version  string `json:"version"`  // "12"; empty on unreleased Debian
	Codename string `json:"codename"` // "bookworm"
}

// Docker is the engine, as its unit and its API show it.
type Docker struct {
	Installed bool      `json:"installed"`         // there is a dockerd
	Running   bool      `json:"running"`           // its API answers
	Blind     bool      `json:"blind"`             // its API could not be asked: nothing is known of containers and networks
	Failed    bool      `json:"failed"`            // systemd tried to run docker.service and gave up, or is about to
	Started   time.Time `json:"started,omitzero"`  // when the running dockerd was started
	Version   string    `json:"version,omitempty"` // "20.10.24+dfsg1"; of the daemon, running or not
	Major     int       `json:"major,omitempty"`   // 20; 0 when unknown
	Effective Effective `json:"effective"`
	Root      string    `json:"root,omitempty"`  // the data root that it runs with: "/var/lib/docker/100000.100000"
	Flags     []string  `json:"flags,omitempty"` // dockerd's arguments: of the process, else of the unit
	// FlagsFrom says which line of which file a flag comes from: "/etc/default/docker:3".
	FlagsFrom map[string]string `json:"flags_from,omitempty"`
	Config    string            `json:"config,omitempty"` // the bytes of /etc/docker/daemon.json
	// ConfigNewer says that daemon.json was written after the running dockerd started.
	ConfigNewer bool        `json:"config_newer,omitempty"`
	Containers  []Container `json:"containers,omitempty"`
	Networks    []Network   `json:"networks,omitempty"`
	// Remembered names the bridges of Docker's networks as molo's rules name them, while
	// Docker itself can't tell.
	Remembered  []string `json:"remembered,omitempty"`
	SubIDs      SubIDs   `json:"sub_ids"`
	Images      int      `json:"images"`
	Volumes     int      `json:"volumes"`
	VolumeNames []string `json:"volume_names,omitempty"`
	// DataOnDisk says that the data root holds images, containers or volumes, for
	// engines that do not run.
	DataOnDisk bool `json:"data_on_disk"`
}

// SubIDs is the text of the files that say which ids of the host containers of a remapped
// dockerd use, and which are accounts'.
type SubIDs struct {
	UIDs   string `json:"uids,omitempty"`   // /etc/subuid
	GIDs   string `json:"gids,omitempty"`   // /etc/subgid
	Users  string `json:"users,omitempty"`  // /etc/passwd
	Groups string `json:"groups,omitempty"` // /etc/group
}

// Effective is what dockerd runs with, which is not always what daemon.json says.
// A nil pointer or an empty string: this engine does not tell.
type Effective struct {
	ICC             *bool  `json:"icc,omitempty"`
	PublishAddress  string `json:"publish_address,omitempty"` // default bridge only
	LiveRestore     *bool  `json:"live_restore,omitempty"`
	NoNewPrivileges *bool  `json:"no_new_privileges,omitempty"` // told since 23.0
	LogDriver       string `json:"log_driver,omitempty"`
	StorageDriver   string `json:"storage_driver,omitempty"`
	UsernsRemap     *bool  `json:"userns_remap,omitempty"`
	FirewallBackend string `json:"firewall_backend,omitempty"` // "iptables" or "nftables"; told since 28.3
	Firewalld       bool   `json:"firewalld,omitempty"`        // dockerd works through firewalld; told since 28.3
	Rootless        bool   `json:"rootless,omitempty"`
	Swarm           bool   `json:"swarm,omitempty"`
}

// Container is one container, running or not.
type Container struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Image     string     `json:"image"`
	Running   bool       `json:"running"`
	Network   string     `json:"network"` // HostConfig.NetworkMode: "bridge", "host", …
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	Published []Publish  `json:"published,omitempty"`

	// What it was created with; dockerd's defaults of that time where nobody said otherwise.
	LogDriver      string            `json:"log_driver,omitempty"`
	LogOptions     map[string]string `json:"log_options,omitempty"`
	Privileged     bool              `json:"privileged,omitempty"`
	PIDMode        string            `json:"pid_mode,omitempty"`        // "host", "container:…"
	UsernsMode     string            `json:"userns_mode,omitempty"`     // "host": not remapped
	PrivilegesKept bool              `json:"privileges_kept,omitempty"` // --security-opt no-new-privileges=false

	PID             int   `json:"pid,omitempty"`               // of its first process, while it runs
	NoNewPrivileges *bool `json:"no_new_privileges,omitempty"` // of that process, as the kernel says
}

// Endpoint is where a container is on a network.
type Endpoint struct {
	Network   string       `json:"network"`             // name
	Addresses []netip.Addr `json:"addresses,omitempty"` // none while it does not run
	// Priority decides which network a container of several has its ports published on.
	Priority int `json:"priority,omitempty"`
}

// Publish is one published port of a container.
type Publish struct {
	Address   netip.Addr `json:"address"` // on the host; unspecified for all
	Port      uint16     `json:"port"`    // on the host
	Container uint16     `json:"container"`
	Protocol  string     `json:"protocol"` // "tcp", "udp" or "sctp"
}

// Network is one Docker network.
type Network struct {
	Name    string         `json:"name"`
	Driver  string         `json:"driver"`           // "bridge", "host", "macvlan", …
	Bridge  string         `json:"bridge,omitempty"` // the interface of a bridge network: "docker0", "br-0123456789ab"
	Subnets []netip.Prefix `json:"subnets,omitempty"`
	// Internal says that nothing leads in or out of it.
	Internal bool `json:"internal,omitempty"`
}

// UFW is the firewall whose rules published ports have to obey. The rule files
// are kept as text: package firewall reads them.
type UFW struct {
	Installed bool   `json:"installed"`
	Enabled   bool   `json:"enabled"`            // ENABLED=yes in /etc/ufw/ufw.conf
	Conf      string `json:"conf,omitempty"`     // /etc/ufw/ufw.conf
	Defaults  string `json:"defaults,omitempty"` // /etc/default/ufw
	Rules4    string `json:"rules4,omitempty"`   // /etc/ufw/user.rules
	Rules6    string `json:"rules6,omitempty"`   // /etc/ufw/user6.rules
}

// Nginx is the web server.
type Nginx struct {
	Installed bool   `json:"installed"`
	Running   bool   `json:"running"`
	Queued    bool   `json:"queued,omitempty"`  // systemd is about to start it, when others have
	Version   string `json:"version,omitempty"` // "1.22.1"; empty where the binary could not be asked
	// Can names what this binary understands and not every nginx does: it was asked.
	Can []string `json:"can,omitempty"`
	// NoIPv6 says that the kernel has none: nginx does not start where it is to listen there.
	NoIPv6 bool `json:"no_ipv6,omitempty"`
	// Foreign holds nginx.conf and all that it includes outside molo's own, by path;
	// sites in them can collide with molo's.
	Foreign map[string]string `json:"foreign,omitempty"`
	// DefaultSite is the target of /etc/nginx/sites-enabled/default while Debian's
	// own default site is enabled there.
	DefaultSite string `json:"default_site,omitempty"`
	// Files says who may read the files of the owner's that the policy names, by path.
	Files map[string]Access `json:"files,omitempty"`
	// Silent holds the addresses that the policy sends requests to and that took no
	// connection, each with what happened instead.
	Silent map[string]string `json:"silent,omitempty"`
	// Open holds the sockets that take what is sent to an address of loopback and what is
	// sent to any other of the host's, by the address that the policy names.
	Open map[string]Socket `json:"open,omitempty"`
	TLS  TLS               `json:"tls,omitzero"`
	Logs Logs              `json:"logs,omitzero"`
	// Unconfined says that nginx was started before the drop-in that confines it was written.
	Unconfined bool `json:"unconfined,omitempty"`
}

// Logs is what there is of molo's logs of the sites.
type Logs struct {
	Rotates bool      `json:"rotates"`           // logrotate is installed
	Problem string    `json:"problem,omitempty"` // what is wrong with the directory and its files
	Barred  string    `json:"barred,omitempty"`  // a directory on the way to them that nginx's workers can't pass
	Files   []LogFile `json:"files,omitempty"`   // in the order of their paths
}

// LogFile is a log that is written to, or one that was put aside.
type LogFile struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// Access is who may read a file.
type Access struct {
	Missing bool        `json:"missing,omitempty"` // there is no regular file
	Mode    fs.FileMode `json:"mode"`
	Workers bool        `json:"workers"`           // nginx's workers may read it
	Problem string      `json:"problem,omitempty"` // why none of this is known
}

// Flow is a connection that the kernel tracks and forwards to a container.
type Flow struct {
	Protocol  string         `json:"protocol"` // "tcp", "udp" or "sctp"
	Source    netip.AddrPort `json:"source"`
	Original  netip.AddrPort `json:"original"`  // what the sender addressed; invalid: the container itself
	Container netip.AddrPort `json:"container"` // where it was sent instead
	In        string         `json:"in"`        // the link that leads to the source
	Links     []string       `json:"links"`     // those on which it may have come in instead
	Out       string         `json:"out"`       // the link that leads to the container
}
