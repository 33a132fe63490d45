package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/provision"
)

const (
	// answerTime is how long an application on this host gets to take a connection.
	answerTime = 300 * time.Millisecond
	// answersTime bounds them all: a bridge whose container is gone says nothing.
	answersTime = 2 * time.Second
)

// Named looks at files and addresses that a policy names. An address that there
// was no time left for is not called silent.
func (h *Host) Named(ctx context.Context, n provision.Named) provision.Found {
	found := provision.Found{Files: map[string]facts.Access{}, Silent: map[string]string{}}
	for _, path := range n.Files {
		found.Files[path] = h.readable(path, n.User)
	}
	if h.offline() {
		return found
	}
	var err error
	if found.Open, err = openUpstreams(n.Upstreams); err != nil {
		h.log.Warn("who can ask applications past nginx is not known", "why", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answersTime)
	defer cancel()
	for _, at := range n.Upstreams {
		if why := answers(ctx, at); why != nil && ctx.Err() == nil {
			found.Silent[at.String()] = plainly(why)
		}
	}
	return found
}

// answers connects to an application and hangs up.
func answers(ctx context.Context, at policy.Address) error {
	network, target := "tcp", at.TCP.String()
	if at.Socket != "" {
		network, target = "unix", at.Socket
	}
	conn, err := (&net.Dialer{Timeout: answerTime}).DialContext(ctx, network, target)
	if err != nil {
		return err
	}
	return conn.Close()
}

// plainly says why a connection was not taken, without what the caller knows.
func plainly(err error) string {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number.Error()
	}
	if wait := net.Error(nil); errors.As(err, &wait) && wait.Timeout() {
		return "no answer in time"
	}
	return err.Error()
}

// readable says who may read a file, by the modes of the file and of the
// directories on the way.
func (h *Host) readable(path, user string) facts.Access {
	info, err := os.Stat(h.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return facts.Access{Missing: true}
	case err != nil:
		return facts.Access{Problem: plainly(err)}
	}
	uid, gids, err := h.identity(user)
	if err != nil {
		return facts.Access{Problem: err.Error()}
	}
	a := facts.Access{Missing: !info.Mode().IsRegular(), Mode: info.Mode().Perm()}
	a.Workers = allowed(info, uid, gids, 4)
	for dir := filepath.Dir(path); a.Workers; dir = filepath.Dir(dir) {
		info, err := os.Stat(h.path(dir))
		if err != nil {
			return facts.Access{Problem: plainly(err)}
		}
		a.Workers = allowed(info, uid, gids, 1)
		if dir == "/" {
			break
		}
	}
	return a
}

// allowed reports whether a file's mode gives a permission (4 to read, 1 to pass).
func allowed(info fs.FileInfo, uid uint32, gids map[uint32]bool, bit fs.FileMode) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return false
	case uid == 0:
		return true
	case stat.Uid == uid:
		return info.Mode()&(bit<<6) != 0
	case gids[stat.Gid]:
		return info.Mode()&(bit<<3) != 0
	}
	return info.Mode()&bit != 0
}

// identity returns the user's ID and those of all its groups, from passwd(5) and group(5).
func (h *Host) identity(user string) (uint32, map[uint32]bool, error) {
	users, err := h.readOptional("/etc/passwd")
	if err != nil {
		return 0, nil, err
	}
	groups, err := h.readOptional("/etc/group")
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(users) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || fields[0] != user {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		gid, err2 := strconv.ParseUint(fields[3], 10, 32)
		return uint32(uid), groupsOf(user, uint32(gid), groups), errors.Join(err, err2)
	}
	return 0, nil, errors.New("there is no user " + user)
}

func groupsOf(user string, primary uint32, groups string) map[uint32]bool {
	all := map[uint32]bool{primary: true}
	for line := range strings.Lines(groups) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		for member := range strings.SplitSeq(fields[3], ",") {
			if gid, err := strconv.ParseUint(fields[2], 10, 32); member == user && err == nil {
				all[uint32(gid)] = true
			}
		}
	}
	return all
}
