//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// call is a system call that is about to happen.
type call struct {
	pid  int
	nr   uint64
	args [6]uint64
}

// effect says what a system call changes; "" for one that changes nothing.
func (c call) effect() string {
	switch c.nr {
	case unix.SYS_RENAME, unix.SYS_UNLINK, unix.SYS_RMDIR, unix.SYS_MKDIR, unix.SYS_CHMOD, unix.SYS_CHOWN:
		return c.named(c.args[0])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT:
		return c.named(c.args[3])
	case unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_FCHMODAT, unix.SYS_FCHOWNAT:
		return c.named(c.args[1])
	case unix.SYS_SYMLINKAT:
		return c.named(c.args[2])
	case unix.SYS_FCHMOD, unix.SYS_FCHOWN, unix.SYS_FTRUNCATE, unix.SYS_FSETXATTR:
		return c.name() + " " + c.file(c.args[0])
	case unix.SYS_MOUNT, unix.SYS_UNSHARE, unix.SYS_SETNS:
		return c.name()
	case unix.SYS_OPENAT:
		if c.args[2]&(unix.O_CREAT|unix.O_TRUNC) != 0 {
			return c.named(c.args[1])
		}
	case unix.SYS_CLONE:
		if c.args[0]&unix.CLONE_VFORK != 0 {
			return "starting a program"
		}
	case unix.SYS_WRITE:
		return c.writing()
	case unix.SYS_SENDTO, unix.SYS_SENDMSG:
		return c.sending()
	}
	return ""
}

// writing tells requests that change something, and settings of the kernel, from other
// writes: a file that is not renamed yet is nowhere.
func (c call) writing() string {
	switch file := c.file(c.args[0]); {
	case strings.HasPrefix(file, "/proc/sys/"):
		return "setting " + file
	case strings.HasPrefix(file, "socket:"):
		request := c.bytes(c.args[1], min(c.args[2], 200))
		if method, rest, _ := bytes.Cut(request, []byte(" ")); bytes.Equal(method, []byte("POST")) || bytes.Equal(method, []byte("DELETE")) {
			path, _, _ := bytes.Cut(rest, []byte(" "))
			return string(method) + " " + string(path)
		}
		return busCall(c.bytes(c.args[1], min(c.args[2], 4096)))
	}
	return ""
}

// sending looks at messages to the bus and to the kernel.
func (c call) sending() string {
	at, size := c.args[1], c.args[2]
	if c.nr == unix.SYS_SENDMSG { // struct msghdr: name, namelen, iov, iovlen
		header := c.bytes(c.args[1], 32)
		if len(header) < 32 {
			return ""
		}
		vector := c.bytes(binary.LittleEndian.Uint64(header[16:]), 16)
		if len(vector) < 16 {
			return ""
		}
		at, size = binary.LittleEndian.Uint64(vector), binary.LittleEndian.Uint64(vector[8:])
	}
	data := c.bytes(at, min(size, 4096))
	if what := busCall(data); what != "" {
		return what
	}
	// struct nlmsghdr: length, type, flags. What is asked for with a dump, and what is
	// asked for by "get", changes nothing: those are every third and fourth of rtnetlink.
	if len(data) >= 16 && binary.LittleEndian.Uint32(data) == uint32(size) {
		kind, flags := binary.LittleEndian.Uint16(data[4:]), binary.LittleEndian.Uint16(data[6:])
		get := kind >= unix.RTM_NEWLINK && kind < 0x100 && kind%4 == 2
		if flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP && !get && kind >= unix.RTM_NEWLINK {
			return fmt.Sprintf("netlink message %d", kind)
		}
	}
	return ""
}

// busCall names the calls to systemd that change something.
func busCall(data []byte) string {
	for _, method := range []string{"ResetFailedUnit", "ReloadUnit", "RestartUnit", "StartUnit", "StopUnit", "StartTransientUnit"} {
		if bytes.Contains(data, []byte("\x00"+method+"\x00")) {
			return method
		}
	}
	return ""
}

func (c call) named(path uint64) string {
	text, _, _ := bytes.Cut(c.bytes(path, 512), []byte{0})
	return c.name() + " " + string(text)
}

func (c call) name() string {
	names := map[uint64]string{
		unix.SYS_RENAME: "rename", unix.SYS_RENAMEAT: "rename", unix.SYS_RENAMEAT2: "rename", unix.SYS_LINKAT: "link", unix.SYS_UNLINK: "unlink",
		unix.SYS_UNLINKAT: "unlink", unix.SYS_RMDIR: "rmdir", unix.SYS_MKDIR: "mkdir", unix.SYS_MKDIRAT: "mkdir", unix.SYS_SYMLINKAT: "symlink",
		unix.SYS_CHMOD: "chmod", unix.SYS_FCHMODAT: "chmod", unix.SYS_FCHMOD: "chmod", unix.SYS_CHOWN: "chown", unix.SYS_FCHOWNAT: "chown",
		unix.SYS_FCHOWN: "chown", unix.SYS_FTRUNCATE: "truncate", unix.SYS_FSETXATTR: "setxattr", unix.SYS_OPENAT: "create",
		unix.SYS_MOUNT: "mount", unix.SYS_UNSHARE: "unshare", unix.SYS_SETNS: "setns",
	}
	return names[c.nr]
}

// file names what a descriptor is open on.
func (c call) file(fd uint64) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.pid, fd))
	if err != nil {
		return ""
	}
	return name
}

// bytes reads the program's memory, as far as it goes.
func (c call) bytes(at, size uint64) []byte {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", c.pid))
	if err != nil {
		return nil
	}
	defer memory.Close()
	data := make([]byte, size)
	n, _ := memory.ReadAt(data, int64(at)) // what there is counts
	return data[:n]
}
