package provision

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
)

// What holds the logs of the sites in shape.
const (
	// LogRotation tells logrotate how, LogTmpfiles makes the directory and its files.
	LogRotation = "/etc/logrotate.d/molo-nginx"
	LogTmpfiles = "/etc/tmpfiles.d/60-molo-nginx.conf"
	// OldLogs is what Delete works on.
	OldLogs = "old log files"
	// errorRetention bounds how long the error log is kept, which holds whole addresses.
	errorRetention = 7 * 24 * time.Hour
)

// tended is what the templates are given of the logs.
type tended struct {
	User string // whom nginx's workers run as
	Logs []rotated
}

// rotated is one log as logrotate's file names it.
type rotated struct {
	Path string
	Days int
}

// logsPart says where the sites' logs are, who rotates them and which are to go. It
// comes before nginx's own part: nginx must find the files, or makes them for everybody.
func logsPart(p *policy.Policy, f facts.Facts) (Part, error) {
	part := Part{Name: PartLogs}
	n, log := f.Nginx, p.Nginx.Log
	if len(p.Sites) == 0 {
		if len(n.Logs.Files) > 0 {
			part.Notes = []Note{{Text: fmt.Sprintf("the logs in %s stay, and nothing deletes them any more\nhint: once they are no longer needed: rm -r %s", nginx.LogDir, nginx.LogDir)}}
		}
		return part, nil
	}
	if !n.Installed {
		return part, nil
	}
	from := askedBy(log.Retention.Range, p.Sites)
	files, err := logFiles(log, nginx.WorkerUser(n))
	if err != nil {
		return Part{}, err
	}
	for _, file := range files {
		part.Want = append(part.Want, Wanted{Resource: file, From: from})
	}
	if !n.Logs.Rotates && !f.Offline {
		part.Notes = []Note{{"logrotate is not installed: the log of a busy site only grows, and its old lines stay\nhint: apt-get install logrotate", from.String()}}
	}
	if n.Logs.Barred != "" {
		part.Violations = []string{fmt.Sprintf("nginx's workers run as %s and can't pass %s: after a rotation they go on writing into the old log, which no retention reaches\nhint: chmod o+x %s",
			nginx.WorkerUser(n), n.Logs.Barred, n.Logs.Barred)}
	}
	part.tend(f)
	part.expire(log, f)
	return part, nil
}

// logFiles renders what logrotate and systemd-tmpfiles are told.
func logFiles(log policy.NginxLog, user string) ([]resource.File, error) {
	days := func(t time.Duration) int { return int(t / (24 * time.Hour)) }
	data := tended{user, []rotated{
		{nginx.AccessLog, days(log.Retention.V)},
		{nginx.ErrorLog, days(min(log.Retention.V, errorRetention))},
	}}
	rotation, err := rendered("logrotate", "molo-nginx.tmpl", data)
	if err != nil {
		return nil, err
	}
	directory, err := rendered("tmpfiles", "60-molo-nginx.conf.tmpl", data)
	if err != nil {
		return nil, err
	}
	return []resource.File{
		{Path: LogTmpfiles, Mode: 0o644, Content: directory},
		{Path: LogRotation, Mode: 0o644, Content: rotation},
	}, nil
}

// tend has the directory and its files made, where they are not as they should be.
func (part *Part) tend(f facts.Facts) {
	file := resource.File{Path: LogTmpfiles}.ID()
	makes := Activation{Unit: nginx.LogDir, Verb: Make, Keys: []resource.ID{file}}
	part.Activate = append(part.Activate, makes)
	if problem := f.Nginx.Logs.Problem; problem != "" && !f.Offline {
		makes.Why = problem
		part.Pending = append(part.Pending, makes)
	}
}

// expire has logs deleted that are older than they may be.
func (part *Part) expire(log policy.NginxLog, f facts.Facts) {
	old := Expired(f.Nginx.Logs.Files, log, f.Time)
	deletes := Activation{Unit: OldLogs, Verb: Delete, Keys: []resource.ID{"log:" + nginx.LogDir}, Files: old}
	part.Activate = append(part.Activate, deletes)
	if len(old) > 0 && !f.Offline {
		deletes.Why = fmt.Sprintf("%d older than %s, or %s with errors", len(old), spellDays(log.Retention.V), spellDays(min(log.Retention.V, errorRetention)))
		part.Pending = append(part.Pending, deletes)
	}
}

func spellDays(t time.Duration) string { return fmt.Sprintf("%d days", t/(24*time.Hour)) }

// Expired lists the logs whose last line is older than their retention. A log that is
// written to counts only as long as there is something in it.
func Expired(files []facts.LogFile, log policy.NginxLog, now time.Time) []string {
	var old []string
	for _, file := range files {
		keep := log.Retention.V
		if strings.HasPrefix(path.Base(file.Path), path.Base(nginx.ErrorLog)) {
			keep = min(keep, errorRetention)
		}
		empty := nginx.IsLiveLog(file.Path) && file.Size == 0
		if !empty && now.Sub(file.Modified) > keep {
			old = append(old, file.Path)
		}
	}
	return old
}

// askedBy returns the place of a default that holds for all sites: the first of them,
// where the block that could say otherwise is not written.
func askedBy(r hcl.Range, sites []*policy.Site) Origin {
	if r.Filename == "" {
		r = sites[0].Range
	}
	return From(r)
}
