package volumes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mountinfo = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 8:17 / /srv/disk rw shared:2 - ext4 /dev/sdb1 rw
41 22 8:1 /srv/with\040blank /mnt/al\134ias rw - ext4 /dev/sda1 rw
42 22 0:5 / /proc rw - proc proc rw
`

func TestParseMounts(t *testing.T) {
	got, err := ParseMounts(mountinfo)
	want := []Mount{
		{"22", Place{"8:1", "/"}, "/"}, {"40", Place{"8:17", "/"}, "/srv/disk"},
		{"41", Place{"8:1", "/srv/with blank"}, `/mnt/al\ias`}, {"42", Place{"0:5", "/"}, "/proc"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if _, err := ParseMounts("22 1 8:1 /\n"); err == nil {
		t.Error("a line with too few fields is no error")
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(mountinfo)
	f.Add(`1 2 3 \ \0 \777`)
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := ParseMounts(text)
		if err == nil && len(Elsewhere(mounts, mounts)) > 0 {
			t.Error("what is mounted here is mounted elsewhere")
		}
	})
}

func TestLocate(t *testing.T) {
	mounts, err := ParseMounts(mountinfo)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, id, path string
		want           Place
		wrong          string
	}{
		{"a path on the root", "22", "/srv/data", Place{"8:1", "/srv/data"}, ""},
		{"the root itself", "22", "/", Place{"8:1", "/"}, ""},
		{"a path on another disk", "40", "/srv/disk/a/b", Place{"8:17", "/a/b"}, ""},
		{"a mount point is what is mounted there", "40", "/srv/disk", Place{"8:17", "/"}, ""},
		{"another name of a directory is the same place", "41", `/mnt/al\ias/x`, Place{"8:1", "/srv/with blank/x"}, ""},
		{"a mount that is not there", "99", "/srv", Place{}, "no mount holds it"},
		{"a mount that is elsewhere", "40", "/srv/diskette", Place{}, "no mount holds it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Locate(mounts, test.id, test.path)
			if got != test.want || err != nil && err.Error() != test.wrong || err == nil && test.wrong != "" {
				t.Errorf("%v, error %v; want %v, error %q", got, err, test.want, test.wrong)
			}
		})
	}
}

func TestElsewhereIsWhatOnlyTheProcessHas(t *testing.T) {
	host := []Mount{{"1", Place{"8:1", "/"}, "/"}, {"2", Place{"8:1", "/srv/a"}, "/export"}}
	process := []Mount{
		{"7", Place{"8:1", "/"}, "/"}, {"8", Place{"8:1", "/srv/a"}, "/export"}, // as on the host
		{"9", Place{"8:1", "/srv/a"}, "/data"}, {"10", Place{"8:2", "/srv/a"}, "/export"},
	}
	if diff := cmp.Diff([]Place{{"8:1", "/srv/a"}, {"8:2", "/srv/a"}}, Elsewhere(host, process)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	container := []Mount{{"7", Place{"0:50", "/"}, "/"}, {"8", Place{"8:1", "/srv/a"}, "/export"}}
	if diff := cmp.Diff([]Place{{"0:50", "/"}, {"8:1", "/srv/a"}}, Elsewhere(host, container)); diff != "" {
		t.Errorf("with another root (-want +got):\n%s", diff)
	}
}

func TestGuard(t *testing.T) {
	guarded := Guard("/srv/docker", []string{"/root", "/home/alice"})
	for i, g := range guarded {
		guarded[i].Place = Place{"8:1", g.Path}
	}
	const (
		below   = "name the directories below it that containers mount"
		own     = "copy what a container needs to a directory of its own"
		byName  = "name volumes by their names"
		mounted = "name the directories that containers mount"
	)
	keeps := func(dir, hint string) string { return dir + " must keep its owners\nhint: " + hint }
	in := func(dir, hint string) string {
		return "it is in " + dir + ", where everything must keep its owners\nhint: " + hint
	}
	holds := func(dir string) string { return dir + " is in it, and must keep its owners\nhint: " + mounted }
	elsewhere := Place{"8:17", "/x"}
	for _, test := range []struct {
		name, path string
		at         Place
		want       string
	}{
		{"data of one's own", "/srv/data", Place{"8:1", "/srv/data"}, "<nil>"},
		{"data below a home", "/home/alice/app/data", Place{"8:1", "/home/alice/app/data"}, "<nil>"},
		{"data below /var/lib", "/var/lib/postgresql", Place{"8:1", "/var/lib/postgresql"}, "<nil>"},
		{"a name that only begins alike", "/etcetera", Place{"8:1", "/etcetera"}, "<nil>"},
		{"a disk of its own", "/mnt/disk", Place{"8:17", "/"}, "<nil>"},
		{"the root", "/", Place{"8:1", "/"}, keeps("/", below)},
		{"/srv itself", "/srv", Place{"8:1", "/srv"}, keeps("/srv", below)},
		{"what people's homes are in, by another name", "/mnt/alias", Place{"8:1", "/home"}, keeps("/home", below)},
		{"/opt itself", "/opt", Place{"8:1", "/opt"}, keeps("/opt", below)},
		{"/var/lib itself", "/var/lib", Place{"8:1", "/var/lib"}, keeps("/var/lib", below)},
		{"all homes", "/home", Place{"8:1", "/home"}, keeps("/home", below)},
		{"a home", "/home/alice", Place{"8:1", "/home/alice"}, keeps("/home/alice", below)},
		{"root's home", "/root", Place{"8:1", "/root"}, keeps("/root", below)},
		{"/etc", "/etc", Place{"8:1", "/etc"}, keeps("/etc", own)},
		{"below /etc", "/etc/ssl/private", Place{"8:1", "/etc/ssl/private"}, in("/etc", own)},
		{"below /usr", "/usr/local/share", Place{"8:1", "/usr/local/share"}, in("/usr", own)},
		{"below /lib", "/lib/modules", Place{"8:1", "/usr/lib/modules"}, in("/lib", own)},
		{"what molo keeps", "/var/lib/molo/backup", Place{"8:1", "/var/lib/molo/backup"}, in("/var/lib/molo", own)},
		{"Docker's data root", "/srv/docker", Place{"8:1", "/srv/docker"}, keeps("/srv/docker", byName)},
		{"Docker's default data root, which is another's", "/var/lib/docker/volumes/x", Place{"8:1", "/var/lib/docker/volumes/x"}, in("/var/lib/docker", own)},
		{"a volume's directory", "/srv/docker/volumes/x/_data", Place{"8:1", "/srv/docker/volumes/x/_data"}, in("/srv/docker", byName)},
		{"another name of /etc", "/mnt/alias", Place{"8:1", "/etc"}, keeps("/etc", own)},
		{"another name of something below /usr", "/mnt/alias", Place{"8:1", "/usr/share"}, in("/usr", own)},
		{"another name of the root's file system", "/mnt/alias", Place{"8:1", "/"}, keeps("/", below)},
		{"a path like /etc on another disk, by another name", "/mnt/alias", Place{"8:17", "/etc"}, "<nil>"},
		{"/etc as a disk of its own", "/etc", elsewhere, keeps("/etc", own)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, fmt.Sprint(refuse(guarded, test.path, test.at))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	deep := Guard("/data/engine/docker", nil)
	if diff := cmp.Diff(holds("/data/engine/docker"), fmt.Sprint(refuse(deep, "/data", Place{"8:1", "/data"}))); diff != "" {
		t.Errorf("above the data root (-want +got):\n%s", diff)
	}
	for _, dir := range []string{"/", "/etc", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/boot", "/dev", "/proc", "/sys", "/run", "/root", "/home", "/var", "/var/lib", "/var/lib/docker", "/var/lib/molo"} {
		if refuse(Guard("/var/lib/docker", nil), dir, elsewhere) == nil {
			t.Errorf("%s is not refused", dir)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"db": true, "web_data-1.2": true, strings.Repeat("a", 64): true,
		"": false, "a": false, ".": false, "..": false, "../x": false, "a/b": false, "_a": false, "-a": false, "a b": false, "a\n": false,
	} {
		if IsName(name) != want {
			t.Errorf("%q is a name: %t, want %t", name, !want, want)
		}
	}
	for name, want := range map[string]bool{
		"100000.100000": true, "0.0": true, "100000": false, "100000.": false, "a.b": false, "1.2.3": false, "1.2\n": false, "12345678901.1": false,
	} {
		if IsRootName(name) != want {
			t.Errorf("%q names a data root: %t, want %t", name, !want, want)
		}
	}
}
