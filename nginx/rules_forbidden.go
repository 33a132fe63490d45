package nginx

import "strings"

// forbidden finds directives that molo has no use for and that go wrong too easily.
func forbidden(tree []directive) []Finding {
	why := map[string]string{
		"alias":    "without a slash at the end it serves the directory above",
		"resolver": "it makes what is served depend on the answers of a name server",
		"rewrite":  "it decodes the request's path, and has been the way into nginx more than once",
	}
	var out []Finding
	walk(tree, func(d directive) {
		if text, ok := why[d.name]; ok {
			out = append(out, d.finding("forbidden", "%s: %s", d.name, text))
		}
		for _, inner := range d.block {
			if inner.name == "if" && (d.name != "server" || !onlyReturns(inner)) {
				out = append(out, inner.finding("forbidden", "if: inside a location it does not do what it says"))
			}
		}
	})
	return out
}

// onlyReturns reports whether a block does nothing but answer.
func onlyReturns(d directive) bool { return len(d.block) == 1 && d.block[0].name == "return" }

// unsafeIf finds blocks "if" that do more than answer or go on elsewhere: all
// else inside one does not do what it says.
func unsafeIf(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "if" {
			return
		}
		for _, inner := range d.block {
			if inner.name != "return" && inner.name != "rewrite" && inner.name != "set" {
				out = append(out, d.finding("forbidden", "if: inside a location it does not do what it says"))
				return
			}
		}
	})
	return out
}

// aliases finds locations whose alias serves what is beside its directory: with
// "location /i" and "alias /srv/i/", a request for "/i../secret" leads to /srv/secret.
func aliases(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "location" || len(d.args) == 0 || strings.HasPrefix(d.args[0], "~") || d.args[0] == "=" {
			return
		}
		prefix := d.args[len(d.args)-1]
		for _, inner := range d.block {
			if inner.name == "alias" && len(inner.args) == 1 && !strings.HasSuffix(prefix, "/") && strings.HasSuffix(inner.args[0], "/") {
				f := inner.finding("alias", "%s../ leads to what is beside %s", prefix, inner.args[0])
				f.Level = Required
				out = append(out, f)
			}
		}
	})
	return out
}

// resolvers finds name servers on other machines: who answers in their place
// chooses where requests go.
func resolvers(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "resolver" {
			return
		}
		for _, server := range d.args {
			if !strings.Contains(server, "=") && !local(server) {
				out = append(out, d.finding("forbidden", "resolver %s: what is served depends on the answers of another machine", server))
			}
		}
	})
	return out
}
