package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"molo/internal/volumes"
)

// lister prints everything about the files below a directory that molo could change.
const lister = `import hashlib, os, stat, sys
def show(path, name):
    s = os.lstat(path)
    line = [name, oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink, s.st_mtime_ns, s.st_rdev]
    if stat.S_ISLNK(s.st_mode):
        line.append(os.readlink(path))
    else:
        line += [(a, os.getxattr(path, a).hex()) for a in sorted(os.listxattr(path))]
    if stat.S_ISREG(s.st_mode):
        line.append(hashlib.sha256(open(path, 'rb').read()).hexdigest())
    print(*line)
    if stat.S_ISDIR(s.st_mode):
        for child in sorted(os.listdir(path)):
            show(path + '/' + child, name + '/' + child)
for top in sys.argv[1:]:
    show(top, '')
`

// filler puts files of several owners, and whatever else may be there, into a volume.
const filler = `set -e
cd "$1"
mkdir -p dir/deep keep; echo root >root; echo app >dir/app; echo secret >secret; chmod 600 secret; echo shared >dir/shared
chown 1000:1000 dir dir/app; chown 0:33 dir/shared; chmod 2775 keep; chown 65534:65534 keep
cp /bin/true su; chmod 4755 su; cp /bin/true sg; chown 33:50 sg; chmod 2755 sg
cp /bin/cat ping; setcap cap_net_raw+ep ping
python3 -c "import os,struct; e=lambda t,p,i: struct.pack('<HHI',t,p,i); n=0xffffffff
os.setxattr('root','system.posix_acl_access',struct.pack('<I',2)+e(1,6,n)+e(2,4,1000)+e(4,4,n)+e(8,4,33)+e(16,4,n)+e(32,4,n))"
ln root dir/name2; ln -s /etc/passwd out; ln -s dir/app in; mkfifo pipe; mkdir mnt; mount -t tmpfs none mnt; echo other >mnt/other
i=0; while [ $i -lt 300 ]; do mkdir dir/deep/$i; : >dir/deep/$i/a; : >dir/deep/$i/b; : >dir/deep/$i/c; i=$((i+1)); done
chown -R 999:999 dir/deep`

// tools makes an image of a shell and a few programs of the host's own.
func (w *world) tools() {
	w.Helper()
	w.sh(`set -- /bin/sh /bin/cat /bin/stat; ldd "$@" | awk '{ for (i = 2; i <= NF; i++) if ($i ~ "^/") print $i } $1 ~ "^/" && NF > 1 { print $1 }' | sort -u >/tmp/files
		printf '%s\n' "$@" >>/tmp/files; tar -C / -h --hard-dereference -c -T /tmp/files | docker import - tools:1`)
}

// remapped restarts dockerd with userns-remap, or without.
func (w *world) remapped(remap string) {
	w.Helper()
	w.write("/etc/docker/daemon.json", fmt.Sprintf(`{"userns-remap": %q, "live-restore": true}`, remap))
	w.sh("systemctl reset-failed docker; systemctl restart docker")
}

const (
	plainData  = "/var/lib/docker/volumes/db/_data"
	mappedData = "/var/lib/docker/100000.100000/volumes/db/_data"
)

func (w *world) listed(dir string) string { w.Helper(); return w.sh("python3 /root/list.py " + dir) }

// shifted is a listing with the ids of the mapping. The files of the mount in it stay.
func shifted(t *testing.T, listing string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(listing) {
		fields := strings.SplitN(line, " ", 5)
		var uid, gid int
		if _, err := fmt.Sscan(fields[2]+" "+fields[3], &uid, &gid); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(line, "/mnt") {
			fields[2], fields[3] = fmt.Sprint(uid+100000), fmt.Sprint(gid+100000)
		}
		out.WriteString(strings.Join(fields, " "))
	}
	return strings.NewReplacer(
		"'0100000200200000000000000000000000000000'", "'0100000300200000000000000000000000000000a0860100'", // cap_net_raw+ep
		"02000400e8030000", "02000400888a0100", "0800040021000000", "08000400c1860100", // user 1000, group 33
	).Replace(out.String())
}

// used runs a shell in a container with the volume and the directory.
func (w *world) used(user, script string) string {
	w.Helper()
	return w.sh(fmt.Sprintf("docker run --rm --network none --user %s -v db:/data -v /srv/up:/up tools:1 /bin/sh -c 'exec 2>&1; %s'", user, script))
}

func TestVolumesFollowIntoAUserNamespaceAndBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.write("/root/list.py", lister)
		w.write("/root/fill.sh", filler)
		w.remapped("")
		w.tools()
		w.sh("docker volume create --label com.docker.compose.project=shop db; mkdir -p /srv/up; sh /root/fill.sh " + plainData + " && sh /root/fill.sh /srv/up")
		db, up := w.listed(plainData), w.listed("/srv/up")
		w.sh("docker run -d --name app --network none -v db:/data -v /srv/up:/up tools:1 /bin/sh -c 'read x </data/pipe'")
		if r := w.molo(1, "volumes", "remap", "db"); !strings.Contains(r.Stderr, "dockerd runs without userns-remap") {
			w.Errorf("without a mapping: %s", r.Stderr)
		}
		pid := strings.TrimSpace(w.sh("docker inspect -f {{.State.Pid}} app"))

		w.remapped("default")
		w.holds("the list", w.molo(0, "volumes").Stdout, "db         /var/lib/docker (out of sight)  -     app", "/srv/up", "hint: molo volumes remap --dry-run db /srv/up\n")
		// live-restore has left a container running that this dockerd does not know.
		for _, what := range []string{"db", "/srv/up"} {
			w.holds("with "+what+" in use", w.molo(1, "volumes", "remap", what).Stderr, what+": mounted by process "+pid)
		}
		w.sh("kill -9 " + pid + "; timeout 10 sh -c 'while [ -d /proc/" + pid + " ]; do sleep 0.05; done'")

		w.tools()
		w.remapsBoth(db, up)
		w.worksInside()
		w.bringsBack(db, up)
	})
}

// remapsBoth goes into the mapping: dry, killed many times, and to the end.
func (w *world) remapsBoth(db, up string) {
	w.Helper()
	var dry struct {
		OK bool
		volumes.Report
	}
	if err := json.Unmarshal([]byte(w.molo(0, "volumes", "remap", "--dry-run", "--json", "db", "/srv/up").Stdout), &dry); err != nil {
		w.Fatal(err)
	}
	for _, r := range dry.Results {
		if t := r.Tally; !dry.OK || t.Entries != 1214 || t.Changed != t.Entries || t.SetID != 2 || t.ACLs != 1 || t.Capabilities != 1 || strings.Join(t.Mounts, " ") != "mnt" {
			w.Errorf("the dry run counts %+v", r)
		}
	}
	w.same("the volume after a dry run", db, w.listed(plainData))
	w.same("the directory after a dry run", up, w.listed("/srv/up"))
	if got := w.sh("docker volume ls -q"); got != "" {
		w.Errorf("after a dry run dockerd knows the volumes %s", got)
	}

	kills := 0
	for limit := 5 * time.Millisecond; ; limit += limit / 3 {
		r, err := w.host.Run(context.Background(), "timeout", "-s", "KILL", fmt.Sprint(limit.Seconds()), "molo", "volumes", "remap", "db", "/srv/up")
		if err != nil {
			w.Fatal(err)
		}
		if r.Code == 0 {
			break
		}
		if kills++; r.Code != 137 || limit > time.Minute {
			w.Fatalf("after %s: exit code %d\n%s%s", limit, r.Code, r.Stdout, r.Stderr)
		}
	}
	w.Logf("killed %d times on the way", kills)
	w.same("the volume", shifted(w.T, db), w.listed(mappedData))
	w.same("the directory", shifted(w.T, up), w.listed("/srv/up"))
	w.holds("its label", w.sh("docker volume inspect db"), `"com.docker.compose.project": "shop"`)
	w.sh("! [ -e /var/lib/docker/volumes/db ]")
	w.holds("a second run", w.molo(0, "volumes", "remap", "db", "/srv/up").Stdout, "db: nothing to do", "/srv/up: nothing to do")
	w.same("the volume after a second run", shifted(w.T, db), w.listed(mappedData))
	w.holds("the list", w.molo(0, "volumes", "--sizes").Stdout, "db         /var/lib/docker/100000.100000  ", " MB  -")
}

// worksInside uses what came along as root and as somebody of a container, and puts
// everything as it was.
func (w *world) worksInside() {
	w.Helper()
	for _, dir := range []string{"/data", "/up"} {
		got := w.used("0:0", "cd "+dir+" && cat root secret && echo more >>secret && cat secret && echo secret >secret && stat -c \"%n %a %u:%g\" . su sg dir/app keep out dir/deep/7/a && cat out in 2>/dev/null; cat mnt/other")
		want := "root\nsecret\nsecret\nmore\n. 755 0:0\nsu 4755 0:0\nsg 2755 33:50\ndir/app 644 1000:1000\nkeep 2775 65534:65534\nout 777 0:0\ndir/deep/7/a 644 999:999\napp\nother\n"
		w.same("what root sees in "+dir, want, got)
		got = w.used("1000:1000", "cd "+dir+" && cat dir/app && echo more >>dir/app && cat dir/app && echo app >dir/app && cat root; cat secret || echo no; : >dir/mine && stat -c %u:%g dir/mine; (: >root) || echo no")
		w.same("what user 1000 does in "+dir, "app\napp\nmore\nroot\ncat: secret: Permission denied\nno\n1000:1000\n/bin/sh: 1: cannot create root: Permission denied\nno\n", got)
	}
	w.holds("a file's capabilities in a container", w.used("1000:1000", "/data/ping /proc/self/status"), "CapEff:\t0000000000002000")
	w.holds("a file's capabilities on the host", w.sh("setpriv --reuid 1000 --clear-groups /srv/up/ping /proc/self/status"), "CapEff:\t0000000000000000")
	w.sh("docker run -d --name holds --network none -v db:/data -v /srv/up:/up tools:1 /bin/sh -c 'read x </data/pipe'")
	for _, what := range []string{"db", "/srv/up", "/srv"} {
		r := w.molo(1, "volumes", "remap", "--back", what)
		if what != "/srv" && !strings.Contains(r.Stderr, what+": mounted by container holds") {
			w.Errorf("with %s in use: %s", what, r.Stderr)
		}
	}
	w.sh("docker stop -t 0 holds")
	// What was written is as it was, but for the times.
	w.sh("for d in " + mappedData + " /srv/up; do rm $d/dir/mine; done")
}

// bringsBack leaves the mapping: before dockerd does, and after.
func (w *world) bringsBack(db, up string) {
	w.Helper()
	restore := "python3 -c \"import os,sys\nfor l in open('/root/times'):\n n,m=l.rsplit(' ',1); os.utime(n,ns=(int(m),int(m)))\""
	var times strings.Builder
	for top, listing := range map[string]string{plainData: db, "/srv/up": up} {
		for _, name := range []string{"/dir", "/dir/app", "/secret"} {
			for line := range strings.Lines(listing) {
				if fields := strings.Fields(line); fields[0] == name {
					fmt.Fprintf(&times, "%s%s %s\n", top, name, fields[5])
				}
			}
		}
	}
	w.write("/root/times", times.String())
	w.holds("back", w.molo(0, "volumes", "remap", "--back", "db", "/srv/up").Stdout, "db: came out of the mapping", "containers refer to the volume in dockerd's sight, which has no data any more")
	w.sh(restore)
	w.same("the volume that went back", db, w.listed(plainData))
	w.same("the directory that went back", up, w.listed("/srv/up"))
	if r, err := w.host.Run(context.Background(), "docker", "start", "holds"); err != nil || r.Code == 0 {
		w.Errorf("a container starts without its data: %v\n%s", err, r.Stdout)
	}

	w.remapped("")
	w.sh("docker start app; docker rm -f app >/dev/null")
	w.same("what root sees without a mapping", "root\n0:0\n", w.used("0:0", "cat /data/root && stat -c %u:%g /data/su"))
	w.holds("its label", w.sh("docker volume inspect db"), `"com.docker.compose.project": "shop"`)
	w.molo(0, "volumes", "remap", "--back", "db", "/srv/up")
	w.same("the volume after another way back", db, w.listed(plainData))

	w.remapped("default")
	w.sh("docker rm -f holds >/dev/null; docker volume rm -f db")
	w.molo(0, "volumes", "remap", "db", "/srv/up")
	w.same("the volume in again", shifted(w.T, db), w.listed(mappedData))
	w.remapped("")
	w.holds("the list", w.molo(0, "volumes").Stdout, "db      /var/lib/docker/100000.100000 (out of sight)", "hint: molo volumes remap --dry-run --back db\n")
	w.molo(0, "volumes", "remap", "--back", "db", "/srv/up")
	w.same("the volume back again", db, w.listed(plainData))
	w.same("the directory back again", up, w.listed("/srv/up"))
	w.holds("its label", w.sh("docker volume inspect db"), `"com.docker.compose.project": "shop"`)
	w.same("what root sees once back", "root\n", w.used("0:0", "cat /data/root"))
}

func TestVolumesThatCantBeRenamed(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.write("/root/list.py", lister)
		w.remapped("")
		w.sh(`docker volume create db; docker volume create new; mkdir -p /srv/up; docker volume create -o type=none -o o=bind -o device=/srv/up up
			cd ` + plainData + `; echo app >app; chown 1000:1000 app; cp /bin/true su; chmod 4711 su; ln app name2; echo old >../../new/_data/old
			mount --bind /var/lib/docker/volumes /var/lib/docker/volumes`)
		before := w.listed(plainData)

		w.remapped("default")
		w.tools()
		r := w.molo(1, "volumes", "remap", "db", "up")
		w.holds("on a mount of its own", r.Stderr, "db: its data in /var/lib/docker is on another mount than /var/lib/docker/100000.100000/volumes: molo renames, and does not copy")
		w.holds("mounted by Docker", r.Stderr, "up: in /var/lib/docker Docker mounts /srv/up over it, and its data is there", "molo volumes remap /srv/up")
		w.same("the volume", before, w.listed(plainData))

		for line, want := range map[string]int{
			"flock /run/molo/lock molo volumes remap db":           exitLocked,
			"flock /run/molo/lock molo volumes remap --dry-run db": exitFailed, // it is refused, but not for the lock
			"setpriv --reuid 1000 molo volumes remap db":           exitNotRoot,
			"setpriv --reuid 1000 molo volumes":                    exitNotRoot,
		} {
			if r, err := w.host.Run(context.Background(), strings.Fields(line)...); err != nil || r.Code != want {
				w.Errorf("%s: exit code %d, want %d (%v)\n%s", line, r.Code, want, err, r.Stderr)
			}
		}

		// What docs/userns.md tells to do.
		w.sh(`docker volume create db; cp -a /var/lib/docker/volumes/db/_data/. /var/lib/docker/100000.100000/volumes/db/_data/; mv /var/lib/docker/volumes/db /root/db.old`)
		w.molo(0, "volumes", "remap", "db")
		w.same("the copy", shifted(w.T, before), w.listed(mappedData))
		w.same("what user 1000 reads", "app\n", w.sh("docker run --rm --network none --user 1000 -v db:/data tools:1 /bin/cat /data/app"))

		w.sh("umount /var/lib/docker/volumes; docker run --rm --network none -v new:/data tools:1 /bin/sh -c ': >/data/new'")
		w.holds("with data in both", w.molo(1, "volumes", "remap", "new").Stderr, "new: /var/lib/docker and /var/lib/docker/100000.100000 both have data of it, and nothing is overwritten")
		w.sh("docker volume rm new")
		w.molo(0, "volumes", "remap", "new")
		w.same("the old data", "old\n", w.sh("docker run --rm --network none -v new:/data tools:1 /bin/cat /data/old"))
		w.same("the Docker socket in a container", "refused\n", w.sh("docker run --rm --network none -v /run/docker.sock:/sock tools:1 /bin/sh -c '[ -w /sock ] || echo refused'"))

		for _, args := range []string{"--network=host", "--pid=host", "--privileged"} {
			w.holds(args, w.sh("docker run --rm "+args+" tools:1 /bin/cat /etc/hostname 2>&1 && exit 1 || true"), "user namespaces")
		}
		// --privileged itself asks for more capabilities than the lab has.
		w.same("without the mapping", "fine\n", w.sh("docker run --rm --userns=host --network=host --pid=host tools:1 /bin/sh -c 'echo fine'"))
	})
}
