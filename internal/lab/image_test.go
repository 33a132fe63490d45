package lab_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

func TestServer(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	p := labtest.Peer(t, h, "client")
	binary, err := lab.BuildStatic(t.Context(), lab.ServerPackage)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Push(binary, "/usr/local/bin/server"); err != nil {
		t.Fatal(err)
	}
	labtest.Output(t, h, "systemd-run", "--unit=server", "server", "-http", ":8001", "-http", ":8002")
	url := fmt.Sprintf("http://%v:8002", p.HostAddr4)
	if got := eventually(t, p, url+"/"); got != "hello from "+h.Name()+"\n" {
		t.Errorf("hello: %q", got)
	}
	var headers map[string][]string
	if err := json.Unmarshal([]byte(fetch(t, p, url+"/headers")), &headers); err != nil {
		t.Fatal(err)
	}
	if got := headers["Host"]; len(got) != 1 || "http://"+got[0] != url {
		t.Errorf("headers: %v", headers)
	}
	if got := labtest.Output(t, h, "server", "-get", "http://127.0.0.1:8001/status/500"); got != "500 Internal Server Error\n500 Internal Server Error\n" {
		t.Errorf("status: %q", got)
	}
	if res, err := h.Run(t.Context(), "server", "-dial", "127.0.0.1:9"); err != nil || res.Code != 1 {
		t.Errorf("dial: %+v, %v", res, err)
	}
}
