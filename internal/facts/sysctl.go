package facts

// Sysctl is what the settings of the kernel are, and which files set them at boot.
type Sysctl struct {
	// Live holds the values of those settings that molo recommends and the kernel has,
	// by their paths under /proc/sys; "" where only root may read one.
	Live map[string]string `json:"live,omitempty"`
	// Interfaces are those that receive packets themselves: not the ports of a bridge,
	// such as the links to containers.
	Interfaces []string `json:"interfaces,omitempty"`
	// Files are those of sysctl.d(5), in the order in which systemd-sysctl reads them,
	// without those that another one of the same name replaces.
	Files []Text `json:"files,omitempty"`
	// UFW is what ufw loads whenever it starts, after systemd-sysctl.
	UFW Text `json:"ufw,omitzero"`
}

// Text is a file and what it says.
type Text struct {
	Path string `json:"path"`
	Text string `json:"text"`
}
