package daemonjson

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func daemonRules() []func(*check) {
	return []func(*check){
		logLevel, logFormat, labels, tlsFiles, metrics, authorization, swarm, negative, genericResources,
		containerdNamespace, rootless, corsHeader, cluster, firewallBackend, fwmark, minAPIVersion, embeddedContainerd,
	}
}

func logLevel(c *check) {
	v, ok := c.value("log-level")
	levels := []string{"", "debug", "info", "warn", "error", "fatal", "panic", "trace"}
	if !c.since(25, 0) {
		levels = append(levels, "warning")
	}
	if ok && !slices.Contains(levels, strings.ToLower(v.literal)) {
		c.fatal(fmt.Sprintf("%q is not a log level", v.literal), "write debug, info, warn, error or fatal", "log-level")
	}
}

func logFormat(c *check) {
	if v, ok := c.value("log-format"); ok && !slices.Contains([]string{"", "text", "json"}, v.literal) {
		c.fatal(fmt.Sprintf("%q is not a log format", v.literal), "write text or json", "log-format")
	}
}

// labels looks at the labels of the daemon: name=value, one value a name.
func labels(c *check) {
	seen := map[string]string{}
	for i, label := range c.strings("labels") {
		at := []string{"labels", strconv.Itoa(i)}
		name, value, ok := strings.Cut(label, "=")
		if earlier, twice := seen[name]; twice && earlier != value {
			c.fatal(fmt.Sprintf("the label %q has another value besides", name), "keep one of them", at...)
		}
		seen[name] = value
		lower := strings.ToLower(label)
		switch {
		case !ok:
			c.fatal(fmt.Sprintf("%q is not name=value", label), "write a value", at...)
		case strings.HasPrefix(lower, "com.docker."), strings.HasPrefix(lower, "io.docker."), strings.HasPrefix(lower, "org.dockerproject."):
			c.fatal(fmt.Sprintf("the label %q begins as Docker's own labels do", name), "name it after a domain of your own", at...)
		}
	}
}

// tlsFiles looks for the certificate that TLS needs. Writing tlsverify turns TLS on,
// whatever its value.
func tlsFiles(c *check) {
	_, verify := c.value("tlsverify")
	if !verify && !c.on("tls") {
		return
	}
	at, why := "tls", "TLS needs a certificate and a key"
	if verify {
		at, why = "tlsverify", "the key turns TLS on, also when it is false, and TLS needs a certificate and a key"
	}
	for _, key := range []string{"tlscert", "tlskey"} {
		switch path := c.setting(key); {
		case path == "":
			c.fatal(why, `write "tlscert" and "tlskey", or take this out`, at)
			return
		case c.missing(path):
			c.fatal(fmt.Sprintf("there is no file %s", path), "put it there before dockerd starts", key)
		}
	}
	if path := c.setting("tlscacert"); path != "" && c.missing(path) {
		c.fatal(fmt.Sprintf("there is no file %s", path), "put it there before dockerd starts", "tlscacert")
	}
}

// metrics looks at the address on which dockerd serves metrics, to whoever asks.
func metrics(c *check) {
	v, ok := c.value("metrics-addr")
	if !ok || v.literal == "" {
		return
	}
	colon := strings.LastIndexByte(v.literal, ':')
	if colon < 0 {
		c.fatal(fmt.Sprintf("%q has no port", v.literal), `write one such as "127.0.0.1:9323"`, "metrics-addr")
		return
	}
	addr, err := netip.ParseAddr(strings.Trim(v.literal[:colon], "[]"))
	switch {
	case err == nil && addr.IsLoopback():
	case err == nil && !addr.IsUnspecified() && c.in.Host.Address != nil && !c.in.Host.Address(addr):
		c.fatal(fmt.Sprintf("the host has no address %s to listen on", addr), `write one such as "127.0.0.1:9323"`, "metrics-addr")
	default:
		c.warn("dockerd serves metrics without a password or TLS to all who reach this address", `write "127.0.0.1:9323"`, "metrics-addr")
	}
}

// authorization looks for plugins that are not there. dockerd waits for them for 15 s
// and gives up, also at a reload.
func authorization(c *check) {
	for i, name := range c.strings("authorization-plugins") {
		if known := c.in.Host.Plugin; known != nil && !known(name) {
			c.fatal(fmt.Sprintf("the authorization plugin %q is not there, and dockerd gives up after 15 s, also at a reload", name),
				"start the plugin before dockerd, or take it out", "authorization-plugins", strconv.Itoa(i))
		}
	}
}

// swarm looks for what an engine in a swarm refuses.
func swarm(c *check) {
	if !c.in.Swarm {
		return
	}
	if c.on("live-restore") {
		c.fatal("the engine is part of a swarm, which live-restore can't be combined with", "take the key out", "live-restore")
	}
	features, _ := c.value("features")
	if c.setting("firewall-backend") == "nftables" && c.on("iptables") && features.fieldExact("swarm-nftables").literal != "true" {
		c.fatal("the engine is part of a swarm, which has no rules for nftables", "take the key out", "firewall-backend")
	}
}

// negative looks for negative numbers. max-download-attempts must not even be 0 before
// 23.0.
func negative(c *check) {
	for _, key := range []string{"max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts"} {
		v, ok := c.value(key)
		switch {
		case ok && v.int() < 0:
			c.fatal("the number is negative", "write a positive number", key)
		case ok && v.int() == 0 && key == "max-download-attempts" && !c.since(23, 0):
			c.fatal("before 23.0 dockerd refuses 0", "write a positive number", key)
		}
	}
}

// genericResources looks at what the node offers to a swarm: name=number once, or
// name=value several times.
func genericResources(c *check) {
	kind := map[string]bool{}
	for i, s := range c.strings("node-generic-resources") {
		at := []string{"node-generic-resources", strconv.Itoa(i)}
		name, value, ok := strings.Cut(s, "=")
		number, err := strconv.ParseInt(value, 10, 64)
		counted, twice := kind[name]
		switch kind[name] = err == nil; {
		case !ok:
			c.fatal(fmt.Sprintf("%q is not name=value", s), "write a number or a value", at...)
		case err == nil && number < 0:
			c.fatal("the number is negative", "write a positive number", at...)
		case twice && (counted || err == nil):
			c.fatal(fmt.Sprintf("%q is counted and named at once, or counted twice", name), "write one number, or values only", at...)
		}
	}
}

func containerdNamespace(c *check) {
	if c.setting("containerd-namespace") == "plugins.moby" {
		c.fatal("dockerd keeps its plugins in this namespace of containerd", "write another name, or take the key out", "containerd-namespace")
	}
}

// rootless is for a dockerd that an unprivileged user runs, which gets it as a flag.
func rootless(c *check) {
	v, ok := c.value("rootless")
	const why, hint = "dockerd runs as root", "take the key out: the script that starts a rootless dockerd sets a flag"
	switch {
	case !ok || v.literal != "true":
	case c.since(28, 0):
		c.fatal(why, hint, "rootless")
	default:
		c.unusable(why, hint, "rootless")
	}
}

func corsHeader(c *check) {
	if v, ok := c.value("api-cors-header"); ok && v.literal != "" && c.since(28, 0) {
		c.fatal("Docker has not set this header since 28.0", "take the key out; a reverse proxy can set it", "api-cors-header")
	}
}

// cluster looks at the key-value store of overlay networks without swarm. The drivers
// for it are not in Debian's dockerd, and nobody has used them for years.
func cluster(c *check) {
	for _, key := range []string{"cluster-store", "cluster-advertise"} {
		if v, ok := c.value(key); ok && v.literal != "" {
			c.fatal("this dockerd has no driver for the store", "take the key out; overlay networks are swarm's", key)
		}
	}
}

func firewallBackend(c *check) {
	if v, ok := c.value("firewall-backend"); ok && !slices.Contains([]string{"", "iptables", "nftables"}, v.literal) {
		c.fatal(fmt.Sprintf("%q is not a firewall backend", v.literal), "write iptables or nftables, or take the key out", "firewall-backend")
	}
}

func fwmark(c *check) {
	v, ok := c.value("bridge-accept-fwmark")
	if !ok || v.literal == "" {
		return
	}
	mark, mask, has := strings.Cut(v.literal, "/")
	_, err := strconv.ParseUint(mark, 0, 32)
	_, maskErr := strconv.ParseUint(mask, 0, 32)
	if err != nil || has && maskErr != nil {
		c.fatal(fmt.Sprintf("%q is not a mark, or a mark and a mask", v.literal), `write one such as "0x1/0x3"`, "bridge-accept-fwmark")
	}
}

// minAPIVersion looks at the oldest API that clients may speak.
func minAPIVersion(c *check) {
	v, ok := c.value("min-api-version")
	if !ok || v.literal == "" {
		return
	}
	version, err := ParseVersion(v.literal)
	if err != nil || v.literal != fmt.Sprintf("%d.%d", version.Major, version.Minor) || version.Before(Version{1, 24}) || version.Major != 1 {
		c.fatal(fmt.Sprintf("%q is not a version of the API from 1.24 on", v.literal), `write one such as "1.44"`, "min-api-version")
	}
}

func embeddedContainerd(c *check) {
	features, _ := c.value("features")
	if c.since(29, 0) && c.on("cri-containerd") && features.fieldExact("embedded-containerd").literal == "true" {
		c.fatal(`a containerd inside of dockerd has no CRI, which "cri-containerd" asks for`, "take one of the two out", "cri-containerd")
	}
}
