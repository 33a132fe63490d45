package policy

// table describes all that a policy may say. Decoding, defaults, "did you mean",
// docs/policy.md and the tests are made from it and know no names of their own.
func table() *block {
	return &block{blocks: []block{dockerRow(), firewallRow(), sysctlRow(), nginxRow(), siteRow(), containersRow(), hostRow(), exemptRow()}}
}

// dockerRow is the block docker.
func dockerRow() block {
	return block{
		name: "docker",
		doc:  "How the Docker daemon is configured, in `/etc/docker/daemon.json`. An empty block already asks for every default below. Without the block, molo leaves the daemon alone.",
		attrs: []attribute{
			{
				name: "icc", kind: "boolean", fallback: `false`, example: `true`, sets: "icc", read: boolean(),
				doc: "Whether containers on the default bridge may talk to each other unasked. Off, one broken container can't reach its neighbours; those that belong together share a network of their own.",
			},
			{
				name: "no_new_privileges", kind: "boolean", fallback: `true`, example: `false`, sets: "no-new-privileges", read: boolean(),
				doc: "Keeps processes in containers from gaining rights through setuid programs such as sudo. A container that needs them can say `--security-opt no-new-privileges=false`. It holds for containers created from then on.",
			},
			{
				name: "live_restore", kind: "boolean", fallback: `true`, example: `false`, sets: "live-restore", read: boolean(),
				doc: "Keeps containers running while the daemon restarts, so that security updates of Docker stop nobody's work.",
			},
			{
				name: "publish_address", kind: "IP address", fallback: `"127.0.0.1"`, example: `"0.0.0.0"`, sets: "ip", read: text(address),
				doc: "The address that `-p 8080:80` binds when it names none. On loopback, a port forgotten in a compose file is open to this host only; with `0.0.0.0`, Docker's default, to everybody.",
			},
			{
				name: "userns_remap", kind: "string", fallback: `"auto"`, allowed: []string{"auto", "off", "default"}, example: `"default"`, sets: "userns-remap", read: text(remap),
				doc: "Whose subordinate IDs root in a container is on the host: `default` is Docker's own user dockremap, any other name is a user or `user:group` of `/etc/subuid`. So root of a container that breaks out is nobody. Turning it on hides the images, containers and volumes of before; `auto` therefore turns it on only where there are none.",
			},
			{
				name: "userns_migration", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Allows molo to turn `userns_remap` on or off, or over to another user, where there are containers, images or volumes. It stops the containers; afterwards all of them are out of sight, and back when `userns_remap` is what it was. `molo volumes` brings data along. The key is written when molo restarts the daemon for it: at once, or in the `window`; `restart = \"manual\"` is refused for it, because containers that run while somebody else restarts the daemon would go on without one that sees them. Take it out again when it is done.",
			},
			{
				name: "restart", kind: "string", fallback: `"auto"`, allowed: []string{"auto", "window", "manual"}, example: `"manual"`,
				doc: "When molo restarts the daemon, if a change needs that: at once, while a `window` is open, or never. Until then the change is in the file only, and `plan` and `status` say that a restart is due, also one that a dropped block `docker` leaves behind.",
			},
			{
				name: "window", kind: "time of the week", fallback: `"Sun 03:00-05:00"`, example: `"Mon-Fri,Sun 23:30-00:30"`, read: text(window),
				doc: "When the daemon may be restarted, with `restart = \"window\"`: days, unless it is every day, and two times, in the host's time zone. molo has to run while it is open.",
			},
			{
				name: "audit_rules", kind: "string", fallback: `"quiet"`, allowed: []string{"off", "quiet", "cis"}, example: `"cis"`,
				doc: "What the kernel's audit watches of Docker, where auditd is installed. `quiet`: changes of its configuration, its units and its programs, and of the rights to its socket. `cis`: every path of CIS Docker 1.1.3 to 1.1.18, also when it is only read; that logs a lot.",
			},
			{
				name: "settings", kind: "object", example: `{ "max-concurrent-downloads" = 6 }`, read: readSettings,
				doc: "Any other key of `daemon.json`, in Docker's own spelling: [daemon-json.md](daemon-json.md) lists them. A value of another type than dockerd takes is refused, and so are keys that molo has an attribute for and values that would switch its protection off. A key that no release of Docker has gets a warning. Of lists and objects that several parties may write to, such as `labels` and `features`, what the policy does not name stays.",
			},
		},
		blocks: []block{logRow()},
	}
}

// logRow is the block log of docker.
func logRow() block {
	return block{
		name: "log",
		doc:  "Where containers' output goes and how much of it is kept. Docker's own default keeps it without bounds, until the disk is full.",
		attrs: []attribute{
			{
				name: "driver", kind: "string", fallback: `"local"`, example: `"journald"`, sets: "log-driver", read: text(logDriver), allowed: logDrivers(),
				doc: "The default logging driver: one of those built into Docker, because a container can't be created with a driver that is not there. `none` is refused: without logs nobody can tell afterwards what happened (CIS Docker 2.13).",
			},
			{
				name: "max_size", kind: "size", fallback: `"10m"`, example: `"50m"`, sets: "log-opts", read: text(logSize),
				doc: "The size at which a log file is rotated: a number and k, m or g. Only with the drivers `local` and `json-file`.",
			},
			{
				name: "max_file", kind: "number", fallback: `5`, example: `10`, sets: "log-opts", read: integer[int](1, 1000),
				doc: "How many log files are kept for each container, from 1 to 1000. Only with the drivers `local` and `json-file`.",
			},
		},
	}
}

// firewallRow is the block firewall.
func firewallRow() block {
	return block{
		name: "firewall",
		doc:  "Who may reach the ports that containers publish. Docker's own rules come before UFW's, so without this block a published port is open to everybody, whatever UFW says.",
		attrs: []attribute{
			{
				name: "published_ports", kind: "string", fallback: `"ufw"`, allowed: []string{"ufw", "closed"}, example: `"closed"`,
				doc: "`ufw`: a published port is as open as UFW's rules make the port of the host, so `ufw allow 8080` opens it. `closed`: only the blocks `publish` open anything. What docker-proxy takes in on IPv6 for a container without it counts as well, as far as the container ran when molo did.",
			},
			{
				name: "when_ufw_inactive", kind: "string", fallback: `"deny"`, allowed: []string{"deny", "follow", "keep"}, example: `"keep"`,
				doc: "What holds while UFW is inactive or not installed. `deny`: published ports are shut but for `publish` blocks. `follow`: they are open, as the host's own ports are then. `keep`: the rules that were loaded last stay.",
			},
			{
				name: "trusted_interfaces", kind: "list of interfaces", example: `["wg0"]`, read: list("interfaces", link),
				doc: "Interfaces from which every published port may be reached, such as that of a VPN. No private network is trusted otherwise.",
			},
			{
				name: "inter_network", kind: "string", fallback: `"docker"`, allowed: []string{"docker", "ufw"}, example: `"ufw"`,
				doc: "Whether containers reach ports that containers of another network publish as Docker decides, or as UFW's rules say. Docker 29 lets them past UFW. From a network that is younger than molo's last run, UFW's rules count in any case.",
			},
			{
				name: "allow_from_containers", kind: "list of ports", example: `["5432/tcp"]`, read: list("ports", hostPort),
				doc: "Ports of the host itself that containers may reach, from the bridges that Docker names; from a network that is younger than molo's last run only after the next. Without it UFW decides, which by default drops what containers send to the host.",
			},
			{
				name: "extra_bridges", kind: "list of interfaces", example: `["mybr0"]`, read: list("interfaces", link),
				doc: "Bridges of containers that neither Docker nor molo's memory can tell of while Docker is down: networks with an interface name of their own that molo has not seen yet.",
			},
			{
				name: "macvlan", kind: "string", fallback: `"warn"`, allowed: []string{"warn", "fail"}, example: `"fail"`,
				doc: "Containers on macvlan and ipvlan networks pass every firewall of the host. `warn` says so; `fail` makes the run fail as well.",
			},
			{
				name: "log", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Whether refused packets are logged as UFW logs them, at most 3 a minute, as `[UFW MOLO BLOCK]`. Where UFW logs nothing, neither does molo.",
			},
			{
				name: "cut_established", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Whether connections end when the port that they lead to is closed. Otherwise they go on until somebody hangs up, as with UFW. What another link that it may have come in on would let in stays.",
			},
		},
		blocks: []block{publishRow()},
	}
}

// publishRow is the block publish of firewall.
func publishRow() block {
	return block{
		name: "publish",
		label: &attribute{
			name: "name", kind: "name", example: `"metrics"`, read: text(publishName),
			doc: "What the opening is for. It shows in the firewall's rules: lower-case letters, digits, `.`, `_` and `-`, at most 63.",
		},
		doc: "Opens published ports, whatever UFW says.",
		attrs: []attribute{
			{
				name: "ports", kind: "list of ports", required: true, example: `[9100, "8000-8010"]`, read: list("ports", port),
				doc: "Ports of the host, as numbers from 1 to 65535 and ranges such as `\"8000-8010\"`.",
			},
			{
				name: "protocol", kind: "string", fallback: `"tcp"`, allowed: []string{"tcp", "udp"}, example: `"udp"`,
				doc: "The transport protocol.",
			},
			{
				name: "from", kind: "list of networks", example: `["192.0.2.0/24", "2001:db8::1"]`, read: list("networks", network),
				doc: "Networks in CIDR notation and addresses that may come in. Everybody may when it is left out.",
			},
		},
	}
}
