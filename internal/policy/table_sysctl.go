package policy

// sysctlRow is the block sysctl.
func sysctlRow() block {
	return block{
		name: "sysctl",
		doc:  "Settings of the kernel, in `/etc/sysctl.d/60-molo.conf` and in force at once. An empty block asks for the recommended ones, see [below](#kernel-settings-that-are-recommended). What is set more strictly already stays so. What UFW sets in `/etc/ufw/sysctl.conf` is left to UFW. Without the block, molo leaves the kernel alone.",
		attrs: []attribute{{
			name: "settings", kind: "object", example: `{ "vm.swappiness" = 10, "kernel.yama.ptrace_scope" = null }`, read: readKernelSettings,
			doc: "Other settings, or other values for those that are recommended, by the names that sysctl(8) prints; `*` stands for every interface, as in `net.ipv4.conf.*.log_martians`. `null` leaves a recommended one as it is. [Some](#kernel-settings-that-are-refused) are refused.",
		}},
	}
}

// RecommendedKernelSettings is what an empty block sysctl asks for: settings that are
// good for every Docker host, break neither Docker nor rootless tools, and can be taken
// back while the kernel runs.
func RecommendedKernelSettings() []KernelSetting {
	const redirects = "Nobody on the network tells this host to send its packets another way."
	const sourceRoutes = "The sender of a packet does not choose its way past the firewall."
	return []KernelSetting{
		{Name: "dev/tty/ldisc_autoload", Value: "0", Why: "Users can't load drivers for serial protocols, which had holes, by opening a terminal."},
		{Name: "fs/protected_fifos", Value: "1", Stricter: []string{"2"}, Why: "In /tmp and its like, nobody is led to write into a pipe of somebody else's."},
		{Name: "fs/protected_hardlinks", Value: "1", Why: "Nobody makes hard links to files that they could not write."},
		{Name: "fs/protected_regular", Value: "2", Why: "In /tmp and its like, nobody is led to write into a file of somebody else's."},
		{Name: "fs/protected_symlinks", Value: "1", Why: "In /tmp and its like, nobody is led through a link of somebody else's."},
		{Name: "fs/suid_dumpable", Value: "0", Why: "Programs that run with the rights of another user leave no core dumps with what they knew."},
		{Name: "kernel/dmesg_restrict", Value: "1", Why: "The kernel's log, with addresses and devices in it, is for root."},
		{Name: "kernel/kptr_restrict", Value: "1", Stricter: []string{"2"}, Why: "Where things are in the kernel's memory is for root; exploits need to know."},
		{Name: "kernel/perf_event_paranoid", Value: "3", Stricter: []string{"4"}, Why: "Measuring the kernel is for root: perf_event_open(2) had holes. 3 is Debian's own level."},
		{Name: "kernel/randomize_va_space", Value: "2", Why: "Programs lie at another address each time."},
		{Name: "kernel/unprivileged_bpf_disabled", Value: "2", Stricter: []string{"1"}, Why: "Programs for the kernel's virtual machine are for root. 1 would hold until the next boot."},
		{Name: "kernel/yama/ptrace_scope", Value: "1", Stricter: []string{"2", "3"}, Why: "A process traces its own children only: one that is taken over does not read its neighbours' secrets."},
		{Name: "net/ipv4/conf/*/accept_redirects", Value: "0", Why: redirects},
		{Name: "net/ipv4/conf/*/accept_source_route", Value: "0", Why: sourceRoutes},
		{Name: "net/ipv4/conf/*/send_redirects", Value: "0", Why: "A Docker host forwards packets but is nobody's router: it tells no neighbour of other ways."},
		{Name: "net/ipv4/tcp_syncookies", Value: "1", Why: "A flood of half-open connections does not keep others out."},
		{Name: "net/ipv6/conf/*/accept_redirects", Value: "0", Why: redirects},
		{Name: "net/ipv6/conf/*/accept_source_route", Value: "0", Stricter: []string{"-1"}, Why: sourceRoutes},
	}
}

// refusedKernelSetting is a setting that a policy may not hold.
type refusedKernelSetting struct {
	pattern string // of paths under /proc/sys
	value   string // only this value is refused; "": every one
	why     string
	hint    string
}

// refusedKernelSettings lists what would take the network from containers, work against
// Docker and UFW, or could not be given back.
func refusedKernelSettings() []refusedKernelSetting {
	const (
		forwarding = "Docker forwards the packets of containers and turns forwarding on when it needs it; off, containers have no network."
		conntrack  = "Docker translates addresses with the kernel's table of connections; a table that is too small, or forgets too early, loses connections. The settings also do not exist before Docker or UFW has loaded the module."
		namespaces = "Containers with userns_remap, rootless tools and the sandboxes of browsers are made of namespaces and could not start."
		oneWay     = "The kernel does not take this back before the next boot, so molo could not give it back."
		takeOut    = "take it out"
	)
	return []refusedKernelSetting{
		{pattern: "net/ipv4/ip_forward", why: forwarding, hint: takeOut + "; who may forward is decided by the block firewall and by UFW"},
		{pattern: "net/ipv4/conf/*/forwarding", why: forwarding, hint: takeOut},
		{pattern: "net/ipv6/conf/*/forwarding", why: forwarding, hint: takeOut},
		{pattern: "net/ipv6/conf/*/force_forwarding", why: forwarding, hint: takeOut},
		{pattern: "net/bridge/*", why: "Docker has the firewall see what passes its bridges, or not, as it needs it, and so does molo.", hint: takeOut},
		{pattern: "net/ipv4/conf/*/route_localnet", why: "Docker sets it on bridges that need it; on others, services that listen on loopback only could be reached from the network.", hint: takeOut},
		{pattern: "net/ipv6/conf/*/disable_ipv6", why: "Docker and nginx listen on IPv6 addresses and do not start where those are gone; the block firewall covers IPv6.", hint: "to be without IPv6, boot the kernel with ipv6.disable=1"},
		{pattern: "net/netfilter/*", why: conntrack, hint: takeOut},
		{pattern: "net/nf_conntrack_max", why: conntrack, hint: takeOut},
		{pattern: "user/max_*_namespaces", why: namespaces, hint: takeOut},
		{pattern: "kernel/unprivileged_userns_clone", why: namespaces, hint: takeOut},
		{pattern: "kernel/apparmor_restrict_unprivileged_userns", why: namespaces, hint: takeOut},
		{pattern: "kernel/modules_disabled", why: "Docker and the firewall load modules of the kernel when they first need them. " + oneWay, hint: takeOut},
		{pattern: "kernel/kexec_load_disabled", why: oneWay + " Crash dumps (kdump) need it besides.", hint: "set it in a file of your own in /etc/sysctl.d"},
		{pattern: "kernel/unprivileged_bpf_disabled", value: "1", why: oneWay, hint: "2 is as strict, and is recommended"},
		{pattern: "kernel/yama/ptrace_scope", value: "3", why: oneWay, hint: "2 leaves tracing to root"},
	}
}
