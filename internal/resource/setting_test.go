package resource_test

import (
	"encoding/json"
	"testing"

	"molo/internal/resource"
)

func TestRightsAndSettingsSurviveMemory(t *testing.T) {
	for _, want := range []resource.Resource{
		resource.Access{Path: "/run/docker.sock", Owner: "root", Group: "docker", Mode: 0o2660},
		resource.Sysctl{Name: "net/ipv4/conf/eth0.100/send_redirects", Value: "0"},
	} {
		data, err := json.Marshal(resource.Box{Resource: want})
		if err != nil {
			t.Fatal(err)
		}
		var got resource.Box
		if err := json.Unmarshal(data, &got); err != nil || !want.Equal(got.Resource) {
			t.Errorf("%s became %+v (%v)", data, got.Resource, err)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	if !(resource.Sysctl{Name: "kernel/none", Value: "1"}).Equal(nil) {
		t.Error("a setting that the kernel does not have counts as wrong")
	}
	if (resource.Access{Path: "/none"}).Equal(nil) {
		t.Error("a path that is not there counts as right")
	}
}
