package daemonjson

// imageKeys lists the keys about registries, downloads, builds and where things lie.
func imageKeys() []Key {
	return []Key{
		{Name: "builder", Type: builderType(), First: Version{18, 9}, Effect: ByRestart},
		{Name: "cdi-spec-dirs", Type: list(text()), First: Version{25, 0}, Default: `["/etc/cdi", "/var/run/cdi"]`, Effect: ByRestart, Flags: []string{"cdi-spec-dir"}, Shared: true},
		{Name: "data-root", Type: text(), First: Version{17, 5}, Default: `"/var/lib/docker"`, Effect: NewRoot, Flags: []string{"data-root"}},
		{Name: "insecure-registries", Type: list(text()), First: Version{1, 11}, Default: "[]", Effect: ByReload, Reload: true, Flags: []string{"insecure-registry"}, Shared: true},
		{Name: "max-concurrent-downloads", Type: whole(), First: Version{1, 12}, Default: "3", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"max-concurrent-downloads"}},
		{Name: "max-concurrent-uploads", Type: whole(), First: Version{1, 12}, Default: "5", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"max-concurrent-uploads"}},
		{Name: "max-download-attempts", Type: whole(), First: Version{20, 10}, Default: "5", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"max-download-attempts"}},
		{Name: "proxies", Type: object(Field{"http-proxy", text()}, Field{"https-proxy", text()}, Field{"no-proxy", text()}), First: Version{23, 0}, Effect: ByRestart, Flags: []string{"http-proxy", "https-proxy", "no-proxy"}},
		{Name: "registry-mirrors", Type: list(text()), First: Version{1, 11}, Default: "[]", Effect: ByReload, Reload: true, Flags: []string{"registry-mirror"}, Shared: true},
		{Name: "storage-driver", Type: text(), First: Version{1, 10}, Effect: NewRoot, Flags: []string{"storage-driver", "s"}},
		{Name: "storage-opts", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: NewContainers, Flags: []string{"storage-opt"}},
	}
}

func builderType() Type {
	policy := object(Field{"all", boolean()}, Field{"filter", Type{}}, Field{"keepStorage", text()}, Field{"reservedSpace", text()},
		Field{"maxUsedSpace", text()}, Field{"minFreeSpace", text()})
	gc := object(Field{"enabled", boolean()}, Field{"policy", list(policy)}, Field{"defaultKeepStorage", text()}, Field{"defaultReservedSpace", text()},
		Field{"defaultMaxUsedSpace", text()}, Field{"defaultMinFreeSpace", text()})
	return object(Field{"gc", gc},
		Field{"entitlements", object(Field{"network-host", boolean()}, Field{"security-insecure", boolean()}, Field{"device", boolean()})},
		Field{"history", object(Field{"maxAge", Type{}}, Field{"maxEntries", whole()})})
}

// daemonKeys lists the keys about dockerd itself.
func daemonKeys() []Key {
	nri := closed(Field{"enable", boolean()}, Field{"plugin-path", text()}, Field{"plugin-config-path", text()}, Field{"socket-path", text()})
	return []Key{
		{Name: "authorization-plugins", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"authorization-plugin"}, Shared: true},
		{Name: "containerd", Type: text(), First: Version{1, 11}, Effect: ByRestart, Flags: []string{"containerd"}},
		{Name: "containerd-namespace", Type: text(), First: Version{20, 10}, Default: `"moby"`, Effect: ByRestart, Flags: []string{"containerd-namespace"}},
		{Name: "cri-containerd", Type: boolean(), First: Version{18, 9}, Default: "false", Effect: ByRestart, Flags: []string{"cri-containerd"}},
		{Name: "debug", Type: boolean(), First: Version{1, 10}, Default: "false", Effect: ByReload, Reload: true, Flags: []string{"debug", "D"}},
		{Name: "exec-root", Type: text(), First: Version{1, 10}, Default: `"/var/run/docker"`, Effect: ByRestart, Flags: []string{"exec-root"}},
		{Name: "experimental", Type: boolean(), First: Version{1, 13}, Default: "false", Effect: ByRestart, Flags: []string{"experimental"}},
		{Name: "features", Type: mapOf(boolean()), First: Version{18, 9}, Default: "{}", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"feature"}},
		{Name: "labels", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: ByReload, Reload: true, Flags: []string{"label"}, Shared: true},
		{Name: "live-restore", Type: boolean(), First: Version{1, 12}, Default: "false", Effect: ByReload, Reload: true, Flags: []string{"live-restore"}},
		{Name: "log-format", Type: text(), First: Version{25, 0}, Default: `"text"`, Effect: ByRestart, Flags: []string{"log-format"}},
		{Name: "log-level", Type: text(), First: Version{1, 10}, Default: `"info"`, Effect: ByRestart, Flags: []string{"log-level", "l"}},
		{Name: "metrics-addr", Type: text(), First: Version{1, 13}, Default: `""`, Effect: ByRestart, Flags: []string{"metrics-addr"}},
		{Name: "node-generic-resources", Type: list(text()), First: Version{17, 9}, Default: "[]", Effect: ByRestart, Flags: []string{"node-generic-resource"}, Shared: true},
		{Name: "nri-opts", Type: nri, First: Version{29, 2}, Default: "{}", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"nri-opts"}},
		{Name: "pidfile", Type: text(), First: Version{1, 10}, Default: `"/var/run/docker.pid"`, Effect: ByRestart, Flags: []string{"pidfile", "p"}},
		{Name: "raw-logs", Type: boolean(), First: Version{1, 11}, Default: "false", Effect: ByRestart, Flags: []string{"raw-logs"}},
		{Name: "rootless", Type: boolean(), First: Version{19, 3}, Effect: ByRestart, Flags: []string{"rootless"}},
		{Name: "shutdown-timeout", Type: whole(), First: Version{1, 13}, Default: "15", Effect: ByReload, Reload: true, Flags: []string{"shutdown-timeout"}},
		{Name: "swarm-default-advertise-addr", Type: text(), First: Version{1, 12}, Default: `""`, Effect: ByRestart, Flags: []string{"swarm-default-advertise-addr"}},
	}
}

// apiKeys lists the keys about the API's sockets.
func apiKeys() []Key {
	return []Key{
		{Name: "group", Type: text(), First: Version{1, 10}, Default: `"docker"`, Effect: ByRestart, Flags: []string{"group", "G"}},
		{Name: "hosts", Type: list(text()), First: Version{1, 10}, Default: `["unix:///var/run/docker.sock"]`, Effect: ByRestart, Flags: []string{"host", "H"}, Shared: true},
		{Name: "min-api-version", Type: text(), First: Version{29, 0}, Default: `"1.40"`, Effect: ByRestart},
		{Name: "tls", Type: boolean(), First: Version{1, 10}, Default: "false", Effect: ByRestart, Flags: []string{"tls"}},
		{Name: "tlscacert", Type: text(), First: Version{1, 10}, Effect: ByRestart, Flags: []string{"tlscacert"}},
		{Name: "tlscert", Type: text(), First: Version{1, 10}, Effect: ByRestart, Flags: []string{"tlscert"}},
		{Name: "tlskey", Type: text(), First: Version{1, 10}, Effect: ByRestart, Flags: []string{"tlskey"}},
		{Name: "tlsverify", Type: boolean(), First: Version{1, 10}, Default: "false", Effect: ByRestart, Flags: []string{"tlsverify"}},
	}
}
