// Package resource names the few kinds of thing molo owns on a host: a key of a
// JSON file, a file, a symbolic link, a generated tree, a set of firewall chains, the
// rights to a path, a setting of the kernel. They are plain data: compilers make them,
// a host reads and writes them, and a plan is the difference between the two.
package resource

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"molo/internal/jsontext"
)

// ID names one resource on a host, as "kind:where", for example
// "key:/etc/docker/daemon.json#log-opts.max-size" or "rules:ip6/filter".
type ID string

// Kind returns the part of the ID before its first colon.
func (id ID) Kind() string {
	kind, _, _ := strings.Cut(string(id), ":")
	return kind
}

// Where returns the part of the ID after its first colon.
func (id ID) Where() string {
	_, where, _ := strings.Cut(string(id), ":")
	return where
}

// Resource is one thing molo owns. The set is closed: Key, File, Link, Tree,
// Rules, Access, Sysctl, SubIDs and Certificate. A nil Resource stands for "not there".
type Resource interface {
	// ID names the resource; two resources with one ID are two states of one thing.
	ID() ID
	// Equal reports whether the other state, which may be nil, is this one.
	Equal(Resource) bool
}

// Key is one leaf of a JSON object file that molo shares with the owner, such as
// daemon.json. Writing it leaves every other byte of the file alone.
type Key struct {
	File string
	// Path goes from the outermost object inwards; the last part may be a
	// jsontext.Element of a list.
	Path  []string
	Value json.RawMessage
	// Raw says that Value was read from the file: put back, it is written byte for
	// byte; any other value is laid out as its surroundings are.
	Raw bool
}

// keyState is how a Key is stored. The bytes of a file are kept as text: encoders lay
// out JSON anew.
type keyState struct {
	File  string          `json:"file"`
	Path  []string        `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
	Text  *string         `json:"text,omitempty"`
}

// MarshalJSON keeps every byte of a value that was read from the file.
func (k Key) MarshalJSON() ([]byte, error) {
	s := keyState{File: k.File, Path: k.Path, Value: k.Value}
	if k.Raw {
		text := string(k.Value)
		s.Value, s.Text = nil, &text
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *Key) UnmarshalJSON(data []byte) error {
	var s keyState
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*k = Key{File: s.File, Path: s.Path, Value: s.Value}
	if s.Text != nil {
		k.Value, k.Raw = json.RawMessage(*s.Text), true
	}
	return nil
}

// ID returns "key:FILE#a.b".
func (k Key) ID() ID { return KeyID(k.File, k.Path...) }

// KeyID returns the ID of the leaf at path in file.
func KeyID(file string, path ...string) ID {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = strings.NewReplacer("~", "~0", ".", "~1").Replace(p)
	}
	return ID("key:" + file + "#" + strings.Join(escaped, "."))
}

// Equal compares the JSON values, not their spelling.
func (k Key) Equal(other Resource) bool {
	o, ok := other.(Key)
	return ok && k.ID() == o.ID() && jsontext.Equal(k.Value, o.Value)
}

// File is a regular file owned by root that molo writes whole.
type File struct {
	Path      string      `json:"path"`
	Mode      fs.FileMode `json:"mode"`
	Content   []byte      `json:"content"`
	Sensitive bool        `json:"sensitive,omitempty"` // never shown in a plan, a log or a report
}

// ID returns "file:PATH".
func (f File) ID() ID { return ID("file:" + f.Path) }

// Equal compares content and mode.
func (f File) Equal(other Resource) bool {
	o, ok := other.(File)
	return ok && f.Path == o.Path && f.Mode == o.Mode && bytes.Equal(f.Content, o.Content)
}

// Link is a symbolic link. A Link with an empty Target says that no link may be
// there; so Debian's default site is put aside, and put back when molo lets go.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// ID returns "link:PATH".
func (l Link) ID() ID { return ID("link:" + l.Path) }

// Equal compares targets; an empty target equals nothing there.
func (l Link) Equal(other Resource) bool {
	if other == nil {
		return l.Target == ""
	}
	o, ok := other.(Link)
	return ok && l == o
}

// Tree is a directory that molo owns whole, in generations: every state of it is
// an immutable directory, and the link "current" beside them names the live one.
type Tree struct {
	Dir   string            `json:"dir"`
	Files map[string][]byte `json:"files"` // relative slash path to content
}

// ID returns "tree:DIR".
func (t Tree) ID() ID { return ID("tree:" + t.Dir) }

// Equal compares the files, so a file edited by hand is a difference.
func (t Tree) Equal(other Resource) bool {
	o, ok := other.(Tree)
	return ok && t.Dir == o.Dir && maps.EqualFunc(t.Files, o.Files, bytes.Equal)
}

// Rules is all that molo owns in one table of one address family: whole chains
// and the jumps from shared chains into them.
type Rules struct {
	Family Family  `json:"family"`
	Table  string  `json:"table"` // "mangle", "filter" or "security"
	Hooks  []Hook  `json:"hooks"` // the first one is into Chains[0]
	Chains []Chain `json:"chains"`
	// Digest is that of Chains, as Digest returns it. iptables does not print what
	// it was given, so a host reports here the digest of the chains it committed
	// last, as long as the kernel still prints what it printed right after that,
	// and "" when somebody changed them.
	Digest string `json:"digest"`
	// Drift is, on a host, what somebody changed in Chains since they were committed:
	// rules as the kernel prints them, behind "+" or "-".
	Drift []string `json:"drift,omitempty"`
	// Elsewhere says that chains of molo's are in the flavour of iptables that Docker does
	// not use, too, where they still drop.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// Family is an address family.
type Family string

// The two address families.
const (
	IPv4 Family = "ip"
	IPv6 Family = "ip6"
)

// Hook is one jump from a shared chain into molo's own, or into another shared one
// that must be on the way.
type Hook struct {
	From  string `json:"from"` // "DOCKER-USER", "FORWARD", "INPUT"
	To    string `json:"to"`
	Place Place  `json:"place,omitempty"`
}

// Place is where in a shared chain a jump must stand.
type Place string

// The places. Other programs, such as VPNs and fail2ban, keep jumps of theirs on top
// of the built-in chains; only those that would accept first matter.
const (
	First        Place = ""              // the first rule
	BeforeDocker Place = "before docker" // before Docker's own accepting rules
	BeforeUFW    Place = "before ufw"    // before UFW's jumps
)

// Chain is one chain of our own and its rules in order.
type Chain struct {
	Name  string `json:"name"`
	Rules []Rule `json:"rules"`
}

// Rule is one rule in the syntax of iptables-restore, without "-A CHAIN".
type Rule struct {
	Spec string `json:"spec"`
	Why  string `json:"why,omitempty"` // what asks for it: "ufw: allow 8080/tcp", "policies.hcl:14"
}

// ID returns "rules:FAMILY/TABLE".
func (r Rules) ID() ID { return ID("rules:" + string(r.Family) + "/" + r.Table) }

// Equal compares digests and hooks; rules that somebody changed, or that are elsewhere as
// well, equal nothing.
func (r Rules) Equal(other Resource) bool {
	o, ok := other.(Rules)
	return ok && r.ID() == o.ID() && r.Digest != "" && r.Digest == o.Digest && slices.Equal(r.Hooks, o.Hooks) && len(o.Drift) == 0 && !o.Elsewhere
}

// Names returns the names of the chains in order.
func (r Rules) Names() []string {
	var names []string
	for _, c := range r.Chains {
		names = append(names, c.Name)
	}
	return slices.Clip(names)
}

// SplitKey returns the file and the path that KeyID put together.
func SplitKey(id ID) (file string, path []string) {
	file, joined, _ := strings.Cut(id.Where(), "#")
	for p := range strings.SplitSeq(joined, ".") {
		path = append(path, strings.NewReplacer("~1", ".", "~0", "~").Replace(p))
	}
	return file, path
}
