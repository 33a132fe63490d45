package templates

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFindsTheTemplatesOfADirectory(t *testing.T) {
	set, err := Parse("nginx")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tmpl := range set.Templates() {
		got = append(got, tmpl.Name())
	}
	slices.Sort(got)
	want := []string{
		"acme.conf.tmpl", "forward-answers", "forward-requests", "forward.conf.tmpl", "grpc.conf.tmpl", "http.conf.tmpl",
		"listen-options", "listens", "molo.conf.tmpl", "proxy.conf.tmpl", "route", "route.conf.tmpl", "scheme",
		"server.conf.tmpl", "site.conf.tmpl", "tls-catch-all", "tls-certificate", "tls-servers.conf.tmpl", "tls.conf.tmpl",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseSaysWhatItCannotFind(t *testing.T) {
	_, err := Parse("apache")
	if err == nil || !strings.Contains(err.Error(), "parsing the templates of apache") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}

// An owner who opens a file on the host has to see at once whose it is.
func TestEveryFileSaysWhoManagesIt(t *testing.T) {
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if !strings.HasPrefix(string(text), "# managed by molo: ") {
			return errors.Join(err, errors.New(name+" does not begin with it"))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
