package facts

// Behaviour is what a running container does, as far as it shows from outside.
type Behaviour struct {
	// Changes are what it wrote to its root file system since it was created.
	Changes []Change `json:"changes,omitempty"`
	// ChangesUnread says why Changes is not known, or not whole.
	ChangesUnread string `json:"changes_unread,omitempty"`
	// Capabilities are those that its main process holds; nil: not known.
	Capabilities []string `json:"capabilities,omitempty"`
	// PortStart is the first port in its network namespace on which a user other than
	// root may listen; nil: not known.
	PortStart *int `json:"port_start,omitempty"`
	// Digests name its image in registries: "server@sha256:…".
	Digests []string `json:"digests,omitempty"`
}

// Change is one path in a container that is not as the image has it.
type Change struct {
	Path string     `json:"path"`
	Kind ChangeKind `json:"kind"`
	Dir  bool       `json:"dir,omitempty"` // known for those without others below
}

// ChangeKind says how a path differs from the image's.
type ChangeKind string

// The kinds.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified"
	Removed  ChangeKind = "removed"
)
