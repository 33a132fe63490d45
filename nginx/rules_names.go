package nginx

import "strings"

// prefix begins every name that molo gives to a thing of nginx's: all files share
// one space of names, and nginx takes the second definition without a word.
const prefix = "molo_"

// serverNames finds names that two servers of the tree have on one socket; nginx
// would only warn and serve the first.
func serverNames(tree []directive) []Finding {
	seen := map[string]bool{}
	var out []Finding
	for _, s := range serversOf(tree) {
		for _, d := range s.block {
			if d.name != "server_name" {
				continue
			}
			for _, k := range listens(s) {
				for _, name := range d.args {
					key := k.String() + " " + name
					if seen[key] {
						out = append(out, d.finding("server-name", "%s is served twice on %s", name, k))
					}
					seen[key] = true
				}
			}
		}
	}
	return out
}

// prefixes finds names defined in the tree that could be somebody else's.
func prefixes(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		for _, name := range defined(d) {
			if !strings.HasPrefix(name, prefix) {
				out = append(out, d.finding("name-prefix", "%s %s does not begin with %s", d.name, name, prefix))
			}
		}
	})
	return out
}

// defined returns the names a directive defines for all of nginx.
func defined(d directive) []string {
	if len(d.args) == 0 {
		return nil
	}
	switch d.name {
	case "map", "geo", "split_clients":
		return []string{strings.TrimPrefix(d.args[len(d.args)-1], "$")}
	case "set":
		return []string{strings.TrimPrefix(d.args[0], "$")}
	case "upstream", "log_format":
		return d.args[:1]
	}
	var out []string
	for _, arg := range d.args {
		for _, key := range []string{"zone=", "keys_zone=", "shared:"} {
			if value, ok := strings.CutPrefix(arg, key); ok && (strings.HasSuffix(d.name, "_zone") || key != "zone=") {
				name, _, _ := strings.Cut(value, ":")
				out = append(out, name)
			}
		}
	}
	return out
}

// wordLengths finds words that nginx would not read.
func wordLengths(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.raw > maxWord {
			out = append(out, d.finding("word-length", "a word of %d bytes in %s", d.raw, d.name))
		}
	})
	return out
}
