package lab

import (
	"context"
	"crypto/rand"
	_ "embed" // the boot script
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options says what host to boot.
type Options struct {
	Release string            // one of Releases
	Name    string            // its host name; the default is the release and a random ending
	Seed    map[string]string // cloud-init's NoCloud files: user-data, meta-data, vendor-data, network-config
	Keep    bool              // let the host outlive this process
	Log     io.Writer         // progress; may be nil
}

// bootLimit is how long a boot may take where ctx allows more; it takes 2 s on a quiet machine.
const bootLimit = 2 * time.Minute

//go:embed boot.sh
var bootScript string

// Boot starts a new host, building its release first where that is needed, and waits until systemd says that it is
// running or degraded.
func Boot(ctx context.Context, o Options) (*Host, error) {
	if err := Build(ctx, o.Release, o.Log); err != nil {
		return nil, err
	}
	h, err := labHome().create(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("booting %s: %w", o.Release, err)
	}
	if err := h.start(ctx); err != nil {
		return nil, fmt.Errorf("booting %s: %w", o.Release, errors.Join(err, h.Close()))
	}
	if o.Keep { // from here on it belongs to whoever opens it
		err := h.lock.Close()
		h.lock = nil
		return h, err
	}
	return h, nil
}

// create makes the directory of a new host and takes its lock. Leftovers of dead owners go first.
func (hm home) create(ctx context.Context, o Options) (*Host, error) {
	if o.Name == "" {
		o.Name = o.Release + "-" + strings.ToLower(rand.Text()[:6])
	}
	if !validName(o.Name) {
		return nil, fmt.Errorf("host name %q is not short, lower case and plain", o.Name)
	}
	if err := hm.sweep(ctx); err != nil {
		return nil, err
	}
	held, err := lock(ctx, hm.path("lock"), os.O_CREATE)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	h := &Host{name: o.Name, dir: hm.path("host", o.Name), log: orDiscard(o.Log), peers: make(map[string]*Peer)}
	h.state = state{Release: o.Release, Rootfs: hm.rootfs(o.Release), Keep: o.Keep}
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		return nil, err
	}
	if h.lock, err = tryLock(h.file("lock"), os.O_CREATE); err != nil {
		return nil, errors.Join(err, demolish(h.dir))
	}
	if err := h.prepare(o.Seed); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// validName accepts what can be a host name, a file name and the name of a cgroup.
func validName(name string) bool {
	return regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(name)
}

// prepare makes the host's disk: its identity and its cloud-init seed, on top of what its release has.
func (h *Host) prepare(seed map[string]string) error {
	for _, dir := range []string{"upper", "work", "root", "docker", "containerd", "peer"} {
		if err := os.Mkdir(h.file(dir), 0o700); err != nil {
			return err
		}
	}
	if err := os.Chmod(h.file("upper"), 0o755); err != nil { // this is the host's /
		return err
	}
	files := map[string]string{
		"etc/hostname":   h.name + "\n",
		"etc/hosts":      "127.0.0.1 localhost\n127.0.1.1 " + h.name + "\n::1 localhost ip6-localhost ip6-loopback\n",
		"etc/machine-id": randomHex(16) + "\n",
		// As in Debian's cloud images; without it cloud-init wants to generate another one, and fails at that on bookworm.
		"etc/default/locale": "LANG=C.UTF-8\n",
	}
	maps.Copy(files, seedFiles(h.name, seed))
	for name, data := range files {
		if err := h.writeUpper(name, data); err != nil {
			return fmt.Errorf("preparing the disk: %w", err)
		}
	}
	return h.state.write(h.dir)
}

// seedFiles returns the files of a NoCloud seed. There is none without meta-data and user-data, so they get defaults.
func seedFiles(host string, seed map[string]string) map[string]string {
	if len(seed) == 0 {
		return nil
	}
	files := map[string]string{"meta-data": "instance-id: " + host + "\nlocal-hostname: " + host + "\n", "user-data": "#cloud-config\n"}
	maps.Copy(files, seed)
	in := make(map[string]string, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		in[filepath.Join("var/lib/cloud/seed/nocloud", name)] = files[name]
	}
	return in
}

// writeUpper writes a file of the disk before the host is up. The mode of every directory is the host's too, whatever
// the umask here is.
func (h *Host) writeUpper(name, data string) error {
	dir := h.file("upper")
	parent, _ := filepath.Split(name)
	for elem := range strings.SplitSeq(strings.Trim(parent, "/"), "/") {
		dir = filepath.Join(dir, elem)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	path := h.file("upper", name)
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return fmt.Sprintf("%x", b)
}
