package daemonjson

// containerKeys lists the keys that containers get their defaults from.
func containerKeys() []Key {
	ulimit := object(Field{"Name", text()}, Field{"Hard", whole()}, Field{"Soft", whole()})
	runtime := object(Field{"path", text()}, Field{"runtimeArgs", list(text())}, Field{"runtimeType", text()}, Field{"options", mapOf(Type{})})
	return []Key{
		{Name: "cgroup-parent", Type: text(), First: Version{1, 10}, Effect: NextStart, Flags: []string{"cgroup-parent"}},
		{Name: "cpu-rt-period", Type: whole(), First: Version{1, 13}, Default: "0", Effect: NextStart, Flags: []string{"cpu-rt-period"}},
		{Name: "cpu-rt-runtime", Type: whole(), First: Version{1, 13}, Default: "0", Effect: NextStart, Flags: []string{"cpu-rt-runtime"}},
		{Name: "default-cgroupns-mode", Type: text(), First: Version{20, 10}, Default: `"private"`, Effect: NewContainers, Reload: true, Flags: []string{"default-cgroupns-mode"}},
		{Name: "default-ipc-mode", Type: text(), First: Version{17, 9}, Default: `"private"`, Effect: NewContainers, Reload: true, Flags: []string{"default-ipc-mode"}},
		{Name: "default-runtime", Type: text(), First: Version{1, 12}, Default: `"runc"`, Effect: NewContainers, Reload: true, Flags: []string{"default-runtime"}},
		{Name: "default-shm-size", Type: text(), First: Version{17, 6}, Default: `"64M"`, Effect: NewContainers, Reload: true, Flags: []string{"default-shm-size"}},
		{Name: "default-stop-timeout", Type: whole(), First: Version{29, 7}, Default: "10", Effect: ByReload, Reload: true, Flags: []string{"default-stop-timeout"}},
		{Name: "default-ulimits", Type: mapOf(ulimit), First: Version{1, 10}, Default: "{}", Effect: NextStart, Flags: []string{"default-ulimit"}},
		{Name: "exec-opts", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: NextStart, Flags: []string{"exec-opt"}},
		{Name: "init", Type: boolean(), First: Version{1, 13}, Default: "false", Effect: NextStart, Flags: []string{"init"}},
		{Name: "init-path", Type: text(), First: Version{1, 13}, Effect: NextStart, Flags: []string{"init-path"}},
		{Name: "log-driver", Type: text(), First: Version{1, 10}, Default: `"json-file"`, Effect: NewContainers, Flags: []string{"log-driver"}},
		{Name: "log-opts", Type: mapOf(text()), First: Version{1, 10}, Default: "{}", Effect: NewContainers, Flags: []string{"log-opt"}},
		{Name: "no-new-privileges", Type: boolean(), First: Version{17, 6}, Default: "false", Effect: NewContainers, Flags: []string{"no-new-privileges"}},
		{Name: "runtimes", Type: mapOf(runtime), First: Version{1, 12}, Default: "{}", Effect: ByReload, Reload: true, Flags: []string{"add-runtime"}},
		{Name: "seccomp-profile", Type: text(), First: Version{1, 13}, Default: `"builtin"`, Effect: NextStart, Flags: []string{"seccomp-profile"}},
		{Name: "selinux-enabled", Type: boolean(), First: Version{1, 10}, Default: "false", Effect: NewContainers, Flags: []string{"selinux-enabled"}},
		{Name: "userns-remap", Type: text(), First: Version{1, 10}, Default: `""`, Effect: NewRoot, Flags: []string{"userns-remap"}},
	}
}
