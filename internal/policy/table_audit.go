package policy

// containersRow is the block containers.
func containersRow() block {
	row := block{
		name: "containers",
		doc:  "What a container must be. `molo audit` judges the running ones by it, and what this block asks for is required; without the block the same values are recommended, and only the worst is required. What an attribute lets pass that its default would not shows in the report as exempt, but for lists of what is allowed.",
		attrs: []attribute{
			{
				name: "non_root", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Runs as another user than root. Root of a container that breaks out is root of the host, unless user namespaces are remapped.",
			},
			{
				name: "drop_capabilities", kind: "list of capabilities", fallback: `["ALL"]`, example: `["NET_RAW", "MKNOD"]`, read: list("capabilities", capability),
				doc: "Capabilities that are taken away at least, as `--cap-drop` names them.",
			},
			{
				name: "allowed_capabilities", kind: "list of capabilities", fallback: `["NET_BIND_SERVICE"]`, example: `["CHOWN", "SETGID", "SETUID"]`, read: list("capabilities", capability),
				doc: "Capabilities that may be given back with `--cap-add`, and no others.",
			},
			{
				name: "read_only", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Has a root file system that it can't write to (`--read-only`). What it must write goes to a volume or to `--tmpfs`.",
			},
			{
				name: "no_new_privileges", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Its processes gain no rights through setuid programs, whether the daemon or the container says so.",
			},
			{
				name: "memory_limit", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Has a bound on its memory (`--memory`), so that it can't starve the others.",
			},
			{
				name: "pids_limit", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Has a bound on its number of processes (`--pids-limit`), which a fork bomb runs into.",
			},
		},
	}
	row.attrs = append(row.attrs, outwards()...)
	return row
}

// outwards lists the attributes of containers that are about the host and others.
func outwards() []attribute {
	return []attribute{
		{
			name: "privileged", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether it may run with every right and device of the host (`--privileged`).",
		},
		{
			name: "host_namespaces", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether it may share the host's network, processes, IPC, host name, users or control groups (`--network host` and so on).",
		},
		{
			name: "sensitive_mounts", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether it may see the host's own directories, such as `/etc`, or the socket of a container engine.",
		},
		{
			name: "published_on", kind: "string", fallback: `"loopback"`, allowed: []string{"loopback", "address", "any"}, example: `"address"`,
			doc: "Where it may publish ports: on loopback, for nginx on this host; on any one address; or on all addresses.",
		},
		{
			name: "health_check", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
			doc: "Has a health check, its own or its image's.",
		},
		{
			name: "pinned_image", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
			doc: "Was created from an image named by digest (`name@sha256:…`), so that it is tomorrow what it was when it was tested.",
		},
		{
			name: "owner_label", kind: "string", example: `"no.example.owner"`, read: text(labelKey),
			doc: "A label that it must carry, so that somebody can be asked about it.",
		},
	}
}

// hostRow is the block host.
func hostRow() block {
	return block{
		name: "host",
		doc:  "What the machine must be. `molo audit` judges it; nothing here can be changed by `molo apply`.",
		attrs: []attribute{
			{
				name: "virtualization", kind: "list of words", fallback: `["kvm", "none"]`, example: `["vmware"]`, read: list("kinds of virtualization", virtualization),
				doc: "What the machine may run on, in the words of systemd-detect-virt(1): `kvm`, `vmware`, `xen`, `microsoft` and so on, `none` for bare metal. Containers such as `lxc` and `openvz` share the kernel of somebody else; they are always a failure.",
			},
			{
				name: "kernel", kind: "version", fallback: `">= 4.15"`, example: `">= 6.1"`, read: text(kernelVersion),
				doc: "The oldest kernel that may run.",
			},
			{
				name: "regions", kind: "list of words", example: `["no-osl"]`, read: list("regions", region),
				doc: "The regions or zones of the provider in which the data may lie, as cloud-init tells them.",
			},
			{
				name: "docker_group", kind: "list of users", example: `["deploy"]`, read: list("users", groupMember),
				doc: "Who may be in the group `docker`, and so may do whatever root may. Without it, nobody.",
			},
		},
	}
}

// exemptRow is the block exempt.
func exemptRow() block {
	return block{
		name: "exempt",
		label: &attribute{
			name: "name", kind: "name", example: `"backup"`, read: text(exemptName),
			doc: "What the exemption is called in the report: lower-case letters, digits, `.`, `_` and `-`, at most 63.",
		},
		doc: "Something that `molo audit` would fail and that is accepted for a while. It stays in the report as exempt, and fails again once it has expired. It holds for the containers and images that fit all of `container`, `label` and `image` that are written; with none of them, for the host, the daemon and their files.",
		attrs: []attribute{
			{
				name: "checks", kind: "list of checks", required: true, example: `["container-privileged", "container-mounts"]`, read: list("checks", checkName),
				doc: "The checks that it is exempt from, as the report names them (see audit.md).",
			},
			{
				name: "container", kind: "name", example: `"backup"`, read: text(objectName),
				doc: "The name of a container.",
			},
			{
				name: "label", kind: "string", example: `"no.example.role=backup"`, read: text(labelOrPair),
				doc: "A label that the container or image carries, with or without its value.",
			},
			{
				name: "image", kind: "string", example: `"registry.example.no/backup"`, read: text(imageName),
				doc: "The image, with its tag or digest or for all of them.",
			},
			{
				name: "reason", kind: "string", required: true, example: `"needs the raw disk until the new appliance comes"`, read: text(reason),
				doc: "Why it is accepted.",
			},
			{
				name: "expires", kind: "date", required: true, example: `"2027-01-31"`, read: text(date),
				doc: "The last day (UTC) on which it holds.",
			},
		},
	}
}
