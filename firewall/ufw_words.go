package firewall

import (
	"net/netip"
	"strconv"
	"strings"

	"molo/internal/policy"
)

// String returns the rule as one would give it to the ufw command, with its comment
// as "ufw status" shows it: "allow 8080/tcp # the shop".
func (r UFWRule) String() string {
	words := r.head()
	if r.simple() {
		words = append(words, endWords(r.App, r.Ports)+r.slashProtocol())
	} else {
		words = append(words, r.ends()...)
	}
	if r.Comment != "" {
		words = append(words, "#", r.Comment)
	}
	return strings.Join(words, " ")
}

// head returns the words before addresses and ports.
func (r UFWRule) head() []string {
	var words []string
	if r.Route {
		words = append(words, "route")
	}
	words = append(words, string(r.Action))
	if r.In != "" {
		words = append(words, "in", "on", string(r.In))
	}
	if r.Out != "" {
		words = append(words, "out", "on", string(r.Out))
	} else if r.Outgoing {
		words = append(words, "out")
	}
	if r.Log {
		words = append(words, "log")
	}
	return words
}

// simple reports whether a port is all that the rule names.
func (r UFWRule) simple() bool {
	return len(r.Ports) > 0 && !r.Route && r.In == "" && r.Out == "" &&
		!r.Source.IsValid() && !r.Destination.IsValid() && len(r.SourcePorts) == 0
}

// slashProtocol returns "/tcp"; a profile knows its protocol.
func (r UFWRule) slashProtocol() string {
	if r.Protocol == 0 || r.App != "" {
		return ""
	}
	return "/" + r.Protocol.String()
}

// ends returns the words of the long form. A source is left out where the rule has
// something else to say, as people do: "allow in on wg0".
func (r UFWRule) ends() []string {
	var words []string
	destination := end("to", r.Destination, r.App, r.Ports)
	source := end("from", r.Source, r.SourceApp, r.SourcePorts)
	if source == nil && destination == nil && r.In == "" && r.Out == "" {
		source = []string{"from", "any"}
	}
	words = append(words, source...)
	words = append(words, destination...)
	if r.Protocol != 0 && r.App == "" && r.SourceApp == "" {
		words = append(words, "proto", r.Protocol.String())
	}
	return words
}

// end returns the words about one end of the connection, none if it is any.
func end(word string, prefix netip.Prefix, app string, ports []policy.PortRange) []string {
	if !prefix.IsValid() && len(ports) == 0 {
		return nil
	}
	words := []string{word, "any"}
	if prefix.IsValid() {
		words[1] = prefixWord(prefix)
	}
	switch {
	case app != "":
		words = append(words, "app", endWords(app, ports))
	case len(ports) > 0:
		words = append(words, "port", endWords(app, ports))
	}
	return words
}

// prefixWord leaves out the length of a single address.
func prefixWord(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// endWords returns the name of a profile or a list of ports.
func endWords(app string, ports []policy.PortRange) string {
	if strings.Contains(app, " ") {
		return strconv.Quote(app)
	}
	if app != "" {
		return app
	}
	var items []string
	for _, p := range ports {
		items = append(items, portSpec(p))
	}
	return strings.Join(items, ",")
}
