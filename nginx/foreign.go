package nginx

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// foreign is what a host serves besides molo's sites.
type foreign struct {
	servers    []directive
	settings   map[string]directive // of the http block, by name
	ownDefault bool                 // sites-enabled/default is a site of the owner's
}

// readForeign reads the host's own configuration files as nginx does: from
// nginx.conf through all includes, wherever they lead.
func readForeign(host facts.Nginx) (foreign, error) {
	f := foreign{settings: map[string]directive{}}
	files := map[string][]directive{}
	for _, path := range slices.Sorted(maps.Keys(host.Foreign)) {
		if path == Entry || strings.HasPrefix(path, Dir+"/") {
			continue
		}
		tree, err := parse(path, host.Foreign[path])
		if err != nil {
			return foreign{}, fmt.Errorf("reading %w", err)
		}
		if path == DefaultSite {
			if host.DefaultSite != "" && shipped(tree) {
				continue
			}
			f.ownDefault = true
		}
		files[path] = tree
	}
	main, ok := files[Root]
	if !ok { // nothing is known of what includes the others: they may all be in the http block
		for _, path := range slices.Sorted(maps.Keys(files)) {
			f.add(files[path])
		}
		return f, nil
	}
	files[Entry] = []directive{{name: entryMark}}
	http := httpOf(newIncluder(files, "").expand(main))
	if !slices.ContainsFunc(http, func(d directive) bool { return d.name == entryMark }) {
		return foreign{}, fmt.Errorf("%s does not include %s, so that no site would be served\nhint: write \"include /etc/nginx/conf.d/*.conf;\" into its http block, as Debian does", Root, Entry)
	}
	f.add(http)
	return f, nil
}

// entryMark stands for what molo's file holds. No directive has such a name.
const entryMark = "(molo)"

// add collects the servers and settings of an http block or of a file included there.
func (f *foreign) add(http []directive) {
	for _, d := range http {
		switch {
		case d.name == "server" && d.block != nil:
			f.servers = append(f.servers, d)
		case d.name == "http":
			f.add(d.block)
		case d.block == nil && len(d.args) > 0:
			f.settings[d.name] = d
		}
	}
}

// shippedSite is Debian's default site without its comments, the same in 12, 13 and 14.
const shippedSite = `server {
	listen 80 default_server;
	listen [::]:80 default_server;
	root /var/www/html;
	index index.html index.htm index.nginx-debian.html;
	server_name _;
	location / { try_files $uri $uri/ =404; }
}`

// shipped reports whether a file says what Debian's default site says. One that
// the owner has edited is a site of the owner's.
func shipped(tree []directive) bool {
	want, err := parse("", shippedSite)
	return err == nil && slices.EqualFunc(tree, want, same)
}

// same compares directives wherever they stand.
func same(a, b directive) bool {
	return a.name == b.name && slices.Equal(a.args, b.args) && slices.EqualFunc(a.block, b.block, same)
}

// collisions returns where a foreign server and a site cannot both work. nginx
// itself only warns of a name served twice, and says nothing of the rest but
// for two default servers.
func (f foreign) collisions(sites []*policy.Site) error {
	first := map[uint16]*policy.Site{}
	for _, s := range slices.Backward(sites) {
		first[s.Port.V] = s
	}
	var errs []error
	for _, server := range f.servers {
		sockets := listens(server)
		for _, s := range sites {
			errs = append(errs, sameName(s, server, sockets))
		}
		errs = append(errs, tlsCollisions(sites, sockets))
		for _, port := range slices.Sorted(maps.Keys(first)) {
			for _, socket := range sockets {
				errs = append(errs, sameSocket(first[port], socket))
			}
		}
	}
	return errors.Join(errs...)
}

// sameName is the error of a site that a foreign server serves too.
func sameName(s *policy.Site, server directive, sockets []socket) error {
	port, shared := sharedPort(s, sockets)
	if !shared {
		return nil
	}
	for _, d := range server.block {
		for _, own := range namesOf(s) {
			if d.name == "server_name" && slices.ContainsFunc(d.args, func(name string) bool { return names(name, own) }) {
				return wrong(s, "%s serves the same name on port %d, and nginx would ignore one of the two", d, port)
			}
		}
	}
	return nil
}

// names reports whether a server_name is this exact name; ".example.no" is
// "example.no" and its wildcard in one.
func names(pattern, name string) bool {
	return strings.EqualFold(strings.TrimPrefix(pattern, "."), name)
}

// sameSocket is the error of a foreign server that changes what a site's port does.
func sameSocket(s *policy.Site, k socket) error {
	switch {
	case !k.covers(s.Port.V):
		return nil
	case !k.wildcard():
		return wrong(s, "%s takes every request to %s on port %d, so that none there reaches the site", k.listen, k.addr, s.Port.V)
	case k.option("default_server", "default"):
		return wrong(s, "%s is the default server of port %d, which has to be the one that refuses unknown names", k.listen, s.Port.V)
	case k.option("ssl", "http2"):
		return wrong(s, "%s makes port %d speak another protocol than plain HTTP", k.listen, s.Port.V)
	case k.option("proxy_protocol") != s.ProxyProtocol():
		return wrong(s, "%s says otherwise whether connections to port %d begin with the PROXY protocol", k.listen, s.Port.V)
	}
	return nil
}

// userName matches the names that useradd(8) takes.
var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)

// WorkerUser returns whom nginx's workers run as: Debian's www-data, unless
// nginx.conf names somebody else.
func WorkerUser(host facts.Nginx) string {
	main, err := parse(Root, host.Foreign[Root])
	if err != nil {
		return "www-data"
	}
	for _, d := range main {
		if d.name == "user" && len(d.args) > 0 && userName.MatchString(d.args[0]) {
			return d.args[0]
		}
	}
	return "www-data"
}
