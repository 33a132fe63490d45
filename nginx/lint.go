package nginx

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Finding is one invariant that a configuration breaks.
type Finding struct {
	File  string `json:"file"`  // "/etc/nginx/nginx.conf"; in a tree of molo's, "sites/app.example.no.conf"
	Line  int    `json:"line"`  // from 1
	Rule  string `json:"rule"`  // the invariant: "header-always"
	Level Level  `json:"level"` // whether it has to be mended
	Text  string `json:"text"`  // what is wrong there
	Fix   string `json:"fix"`   // what to write instead
}

// Level is how much a finding matters.
type Level string

// The levels. In a tree of molo's own every finding is required.
const (
	Required Level = "required" // a client or an application gets what it must not
	Advised  Level = "advised"  // goes wrong easily, or costs something
)

// String returns "FILE:LINE: RULE: TEXT".
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text) }

// finding makes a Finding at a directive; its rule's level and fix are filled in later.
func (d directive) finding(rule, format string, args ...any) Finding {
	return Finding{File: d.file, Line: d.line, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// Lint reads the files of a tree, from http.conf through its includes, and
// returns where they break an invariant of molo's, in the order of the files.
// Compile returns no tree with findings, so on a host a finding means that
// somebody has edited the tree.
func Lint(files map[string][]byte) []Finding {
	trees := make(map[string][]directive, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		tree, err := parse(name, string(files[name]))
		if err != nil {
			return settle([]Finding{unreadable(name, err)}, own)
		}
		trees[name] = tree
	}
	return lint(trees, nil)
}

// unreadable is the finding of a file that does not parse; the others are not looked at.
func unreadable(name string, err error) Finding {
	f := Finding{File: name, Line: 1, Rule: "syntax", Text: err.Error()}
	if at, ok := errors.AsType[*syntaxError](err); ok {
		f.Line, f.Text = at.line, at.what
	}
	return f
}

// lint checks the parsed files of a tree. Upstreams that the policy allows to be
// elsewhere are named by address.
func lint(files map[string][]directive, elsewhere []string) []Finding {
	absolute := make(map[string][]directive, len(files))
	for name, tree := range files {
		absolute[Current+"/"+name] = tree
	}
	in := newIncluder(absolute, Current)
	tree := in.expand(files["http.conf"])
	findings := in.findings
	for _, check := range slices.Concat(ownChecks(elsewhere), commonChecks()) {
		findings = append(findings, check(tree)...)
	}
	return settle(findings, own)
}

// own says that a configuration is molo's.
const own = true

// settle gives findings the level and the fix of their rules, and puts them in the
// order of the files, each once: an included file is read for every include.
func settle(findings []Finding, own bool) []Finding {
	for i := range findings {
		f := &findings[i]
		r := rules()[f.Rule]
		f.Fix = r.fix
		if f.Level == "" {
			f.Level = r.level
		}
		if own {
			f.Level = Required
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(findings)
}

// rule is what all findings of one invariant have in common.
type rule struct {
	level Level
	fix   string
}

// rules lists the invariants by name.
func rules() map[string]rule {
	return map[string]rule{
		"accel-headers":   {Advised, "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;"},
		"alias":           {Advised, "end the location and the alias with a slash, or use root"},
		"client-address":  {Advised, "proxy_set_header X-Forwarded-For $remote_addr;"},
		"default-server":  {Required, "add a server with listen … default_server and return 444;"},
		"forbidden":       {Advised, "say it with location, map, or return"},
		"header-always":   {Advised, "write always behind the value"},
		"header-set":      {Required, "repeat the whole set in this block"},
		"include":         {Advised, "give molo the output of nginx -T, which holds all files"},
		"name-prefix":     {Required, "begin the name with " + prefix},
		"old-workers":     {Advised, "worker_shutdown_timeout 1h; beside worker_processes, if clients can take up a WebSocket again that is cut then"},
		"proxy-path":      {Advised, "leave out everything behind the address: the path is passed on as it came"},
		"proxy-target":    {Advised, "proxy to loopback or a Unix socket: a name that can't be resolved keeps nginx from starting, and other machines can be listened to"},
		"reject":          {Advised, "return 421; for connections whose name is of another server"},
		"server-name":     {Required, "take the name out of one of the two: nginx ignores the second"},
		"server-tokens":   {Required, "server_tokens off;"},
		"syntax":          {Required, "mend what nginx -t complains about"},
		"tainted-value":   {Required, "use $request_uri for the path, $host for the name, named captures"},
		"tls-certificate": {Required, "name a certificate, or ssl_reject_handshake on;"},
		"trusted-peers":   {Required, "name the proxies in front of this host, and nobody else"},
		"upgrade":         {Required, `pass on only what a map makes of it: map $http_upgrade $up { "~*^websocket$" websocket; }`},
		"word-length":     {Required, "shorten the value"},
		"worker-files":    {Advised, "worker_rlimit_nofile of at least twice worker_connections: a proxied request takes two files"},
	}
}

// ownChecks are for a tree of molo's, about which much is known.
func ownChecks(elsewhere []string) []func([]directive) []Finding {
	targets := func(tree []directive) []Finding { return proxyTargets(tree, elsewhere) }
	return []func([]directive) []Finding{headerAlways, targets, forbidden, ownTokens, prefixes, wordLengths}
}

// commonChecks are for any configuration; they take what stands in its http block.
func commonChecks() []func([]directive) []Finding {
	return []func([]directive) []Finding{
		headerSets, taintedValues, proxyPaths, defaultServers, serverNames, tlsCertificates, rejections, upgrades, accelHeaders, trustedPeers,
	}
}
