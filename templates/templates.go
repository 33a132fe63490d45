// Package templates holds the text of the files molo renders, embedded in the
// binary, one directory for each program that reads them. An operator can read
// here what molo makes of a policy.
//
// A template holds layout only. The values put into it are typed by the package
// that renders it, so that no text of a policy ever ends up in a file unchecked.
package templates

import (
	"embed"
	"fmt"
	"text/template"
)

//go:embed nginx/*.tmpl logrotate/*.tmpl systemd/*.tmpl sysctl/*.tmpl audit/*.tmpl tmpfiles/*.tmpl
var files embed.FS

// Parse returns the templates of one directory, such as "nginx". Each is named
// after its file: "site.conf.tmpl". The error says that there are none, or where
// one does not parse.
func Parse(dir string) (*template.Template, error) {
	set, err := template.New(dir).Option("missingkey=error").ParseFS(files, dir+"/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parsing the templates of %s: %w", dir, err)
	}
	return set, nil
}
