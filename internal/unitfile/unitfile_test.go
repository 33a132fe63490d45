package unitfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/unitfile"
)

const debian = `[Unit]
Description=Docker Application Container Engine
ExecStart=/not/this

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
# comment
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
`

func TestArgumentsComeWithTheirLines(t *testing.T) {
	unit := unitfile.File{Path: "/usr/lib/systemd/system/docker.service", Text: debian}
	dropIn := func(text string) unitfile.File {
		return unitfile.File{Path: "/etc/systemd/system/docker.service.d/a.conf", Text: text}
	}
	tests := []struct {
		name        string
		files       []unitfile.File
		environment string
		want        []string
	}{
		{"Debian's unit", []unitfile.File{unit}, "", []string{"-H unit:9", "fd:// unit:9", "--containerd=/run/containerd/containerd.sock unit:9"}},
		{"options in /etc/default", []unitfile.File{unit}, "# a comment\nDOCKER_OPTS=\"--icc=false --dns 192.0.2.1\"\n",
			[]string{"-H unit:9", "fd:// unit:9", "--containerd=/run/containerd/containerd.sock unit:9", "--icc=false default:2", "--dns default:2", "192.0.2.1 default:2"}},
		{"a drop-in that sets the command anew", []unitfile.File{unit, dropIn("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --debug \\\n# not this\n  --label 'a=b c'\n")}, "",
			[]string{"--debug drop-in:3", "--label drop-in:3", "a=b c drop-in:3"}},
		{"a variable within a word", []unitfile.File{unit, dropIn("[Service]\nEnvironment=\"A=1\" B=2\nExecStart=/usr/bin/dockerd --mtu=${A} $$x ${C} ${\n")}, "",
			[]string{"--mtu=1 drop-in:2", "$x drop-in:3", " drop-in:3", "${ drop-in:3"}},
		{"a command that another section names", []unitfile.File{dropIn("[Unit]\nExecStart=/x --y\n")}, "", nil},
	}
	short := strings.NewReplacer("/usr/lib/systemd/system/docker.service", "unit", "/etc/default/docker", "default", "/etc/systemd/system/docker.service.d/a.conf", "drop-in")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := unitfile.Parse(test.files...)
			var environment []unitfile.File
			for _, path := range u.EnvironmentFiles() {
				environment = append(environment, unitfile.File{Path: path, Text: test.environment})
			}
			var got []string
			for _, a := range u.Arguments(environment...) {
				got = append(got, a.Text+" "+short.Replace(a.Where))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEmptyEnvironmentFileTakesEarlierOnesBack(t *testing.T) {
	u := unitfile.Parse(unitfile.File{Text: "[Service]\nEnvironmentFile=/a\nEnvironmentFile=\nEnvironmentFile=-/b\n"})
	if diff := cmp.Diff([]string{"/b"}, u.EnvironmentFiles()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzArguments(f *testing.F) {
	f.Add(debian, "DOCKER_OPTS='--x'\n")
	f.Add("[Service]\nExecStart=a \"b", "${")
	f.Fuzz(func(t *testing.T, unit, environment string) {
		u := unitfile.Parse(unitfile.File{Path: "u", Text: unit})
		for _, a := range u.Arguments(unitfile.File{Path: "e", Text: environment}) {
			if a.Where == "" && a.Text != "" && !strings.Contains(environment+unit, a.Text[:1]) {
				t.Errorf("%q comes from nowhere", a.Text)
			}
		}
	})
}

func TestTheLastLineOfTheSectionSetsAValue(t *testing.T) {
	files := []unitfile.File{
		{Path: "/lib/docker.socket", Text: "[Unit]\nSocketMode=0777\n[Socket]\nSocketMode=0660\nSocketGroup=docker\n"},
		{Path: "/etc/docker.socket.d/a.conf", Text: "# SocketMode=0600\n[Socket]\n\nSocketMode = 0666\n"},
	}
	if value, where := unitfile.Value("Socket", "SocketMode", files...); value != "0666" || where != "/etc/docker.socket.d/a.conf:4" {
		t.Errorf("SocketMode is %q (%s)", value, where)
	}
	if value, where := unitfile.Value("Socket", "SocketUser", files...); value != "" || where != "" {
		t.Errorf("SocketUser is %q (%s)", value, where)
	}
}

// FuzzValue looks for unit files that break the reader, or lines that are not there.
func FuzzValue(f *testing.F) {
	f.Add("[Socket]\nSocketMode=0660\n")
	f.Add("[Socket]\nSocketMode=06\\\n60\n# x\\\n=\n")
	f.Add("[\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		value, where := unitfile.Value("Socket", "SocketMode", unitfile.File{Path: "a", Text: text})
		if value != "" && !strings.HasPrefix(where, "a:") || strings.Contains(value, "\n") {
			t.Fatalf("%q: SocketMode is %q (%s)", text, value, where)
		}
	})
}
