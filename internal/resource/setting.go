package resource

import "fmt"

// Access is who owns a path that is there already, and its permission bits. It says
// nothing of what the path holds.
type Access struct {
	Path  string `json:"path"`
	Owner string `json:"owner"` // a name, or a number that has none
	Group string `json:"group"`
	Mode  uint32 `json:"mode"` // as of chmod(2), with setuid, setgid and sticky
}

// ID returns "access:PATH".
func (a Access) ID() ID { return ID("access:" + a.Path) }

// Equal compares owner, group and mode.
func (a Access) Equal(other Resource) bool {
	o, ok := other.(Access)
	return ok && a == o
}

// String returns "root:docker 0660".
func (a Access) String() string { return fmt.Sprintf("%s:%s %04o", a.Owner, a.Group, a.Mode) }

// Sysctl is the value that a setting of the kernel has now; what it has after the next
// boot stands in files.
type Sysctl struct {
	Name  string `json:"name"`  // its path under /proc/sys
	Value string `json:"value"` // with one space between words
}

// ID returns "sysctl:NAME".
func (s Sysctl) ID() ID { return ID("sysctl:" + s.Name) }

// Equal compares values. A setting that the kernel does not have can't be otherwise:
// interfaces come and go.
func (s Sysctl) Equal(other Resource) bool {
	o, ok := other.(Sysctl)
	return other == nil || ok && s == o
}
