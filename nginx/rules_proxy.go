package nginx

import (
	"slices"
	"strings"
)

// upgrades finds requests whose Upgrade header is passed on as it came: with
// "h2c" a client talks past nginx to the application from then on.
func upgrades(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if (d.name == "proxy_set_header" || d.name == "grpc_set_header") && len(d.args) == 2 &&
			strings.EqualFold(d.args[0], "Upgrade") && slices.Contains(variables(d), "http_upgrade") {
			out = append(out, d.finding("upgrade", "any protocol that the client names is passed on, h2c too"))
		}
	})
	return out
}

// accelHeaders finds applications that may tell nginx which file to serve.
func accelHeaders(tree []directive) []Finding {
	var out []Finding
	for _, s := range serversOf(tree) {
		internal := false
		walk(s.block, func(d directive) { internal = internal || d.name == "internal" })
		for _, f := range accelIn(s.block, tree) {
			if internal { // there is something to be had
				f.Level = Required
			}
			out = append(out, f)
		}
	}
	return out
}

// accelIn finds them in a block, inside some others.
func accelIn(block []directive, around ...[]directive) []Finding {
	blocks := append(slices.Clone(around), block)
	var out []Finding
	for _, d := range block {
		if passes(d) && !ignoresAccel(inEffect(strings.TrimSuffix(d.name, "_pass")+"_ignore_headers", blocks...)) {
			out = append(out, d.finding("accel-headers", "the application may have nginx serve any internal location"))
		}
		out = append(out, accelIn(d.block, blocks...)...)
	}
	return out
}

// ignoresAccel reports whether one of the directives ignores X-Accel-Redirect.
func ignoresAccel(ignored []directive) bool {
	return slices.ContainsFunc(ignored, func(d directive) bool {
		return slices.ContainsFunc(d.args, func(name string) bool { return strings.EqualFold(name, "X-Accel-Redirect") })
	})
}

// clientAddresses finds applications that are told what a client says of its address.
func clientAddresses(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "proxy_set_header" && d.name != "grpc_set_header" {
			return
		}
		for _, name := range variables(d) {
			if name == "proxy_add_x_forwarded_for" || name == "http_x_forwarded_for" {
				out = append(out, d.finding("client-address", "%s begins with whatever the client sent", strings.Join(d.args, " ")))
			}
		}
	})
	return out
}

// lostOnErrors finds headers that nginx leaves out of errors, which is where a
// page shows what somebody put into its address.
func lostOnErrors(tree []directive) []Finding {
	security := []string{
		"content-security-policy", "x-frame-options", "x-content-type-options", "strict-transport-security", "referrer-policy",
		"permissions-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "cross-origin-embedder-policy",
	}
	out := headerAlways(tree)
	for i, f := range out {
		name, _, _ := strings.Cut(f.Text, " ")
		if slices.Contains(security, strings.ToLower(name)) {
			out[i].Level = Required
		}
	}
	return out
}
