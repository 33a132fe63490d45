package volumes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What dockerd 20.10.24 and 28.5.2 wrote, without what does not matter.
const (
	config = `{"ID":"ab","Name":"/web","MountPoints":{` +
		`"/data":{"Source":"/var/lib/docker/volumes/pg/_data","Destination":"/data","RW":true,"Name":"pg","Driver":"local","Type":"volume"},` +
		`"/b":{"Source":"/srv/bind","Destination":"/b","RW":true,"Name":"","Driver":"","Type":"bind","Propagation":"rprivate"},` +
		`"/p":{"Source":"","Destination":"/p","RW":true,"Name":"remote","Driver":"some/plugin","Type":"volume"},` +
		`"/t":{"Source":"","Destination":"/t","RW":true,"Type":"tmpfs"}}}`
	bound = `{"MountType":"none","MountOpts":"bind","MountDevice":"/srv/bind","Quota":{"Size":0}}`
)

func TestParseContainer(t *testing.T) {
	got, err := ParseContainer([]byte(config))
	want := Container{Name: "web", Mounts: []Mounted{{Source: "/srv/bind"}, {Volume: "pg"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if _, err := ParseContainer([]byte(`{"Name":1}`)); err == nil {
		t.Error("a name that is a number is no error")
	}
}

func TestParseOptions(t *testing.T) {
	for _, test := range []struct {
		name, text, device string
		quota, wrong       bool
	}{
		{"a directory", bound, "/srv/bind", false, false},
		{"a file system in memory", `{"MountType":"tmpfs","MountOpts":"size=1m","MountDevice":"tmpfs"}`, "tmpfs", false, false},
		{"one without a device", `{"MountType":"tmpfs"}`, "tmpfs", false, false},
		{"a quota", `{"Quota":{"Size":1048576}}`, "", true, false},
		{"nothing", `{"MountType":"","MountOpts":"","MountDevice":"","Quota":{"Size":0}}`, "", false, false},
		{"nothing at all", `null`, "", false, false},
		{"half a file", `{"MountType":`, "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			device, quota, err := ParseOptions([]byte(test.text))
			if device != test.device || quota != test.quota || (err != nil) != test.wrong {
				t.Errorf("device %q, quota %t, error %v", device, quota, err)
			}
		})
	}
}

func TestParseLabels(t *testing.T) {
	got, err := ParseLabels([]byte(`{"Name":"pg","Driver":"local","Labels":{"com.docker.compose.project":"shop"},"Options":{}}`))
	if diff := cmp.Diff(map[string]string{"com.docker.compose.project": "shop"}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if got, err := ParseLabels([]byte(`{"Labels":null}`)); got != nil || err != nil {
		t.Errorf("no labels are %v, error %v", got, err)
	}
	if _, err := ParseLabels([]byte(`{"Labels":[]}`)); err == nil {
		t.Error("labels that are none are no error")
	}
}

func FuzzParseWhatDockerdWrote(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte(bound))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseContainer(data)
		for _, m := range c.Mounts {
			if err != nil || (m.Volume == "") == (m.Source == "") {
				t.Errorf("%+v is neither a volume nor a path, error %v", m, err)
			}
		}
		ParseOptions(data)
		ParseLabels(data)
	})
}
