package daemonjson

import (
	"fmt"
	"strings"
)

// runtimes looks at the programs that run containers. Since 24.0 dockerd wants each to
// be a program or one of containerd's, and not both.
func runtimes(c *check) {
	v, _ := c.value("runtimes")
	for _, name := range v.names() {
		runtime, at := v.fieldExact(name), []string{"runtimes", name}
		path, kind := runtime.field("path").literal, runtime.field("runtimeType").literal
		switch {
		case name == "runc":
			c.fatal(`"runc" is the name of Docker's own runtime`, "write another name", at...)
		case !c.since(24, 0):
		case path == "" && kind == "":
			c.fatal("the runtime has neither a path nor a runtimeType", "write one of them", at...)
		case path != "" && kind != "":
			c.fatal("the runtime has both a path and a runtimeType", "write one of them", at...)
		case path != "" && !runtime.field("options").null():
			c.fatal("options are for a runtimeType", "write runtimeArgs, or take them out", at...)
		case kind != "" && len(runtime.field("runtimeArgs").items) > 0:
			c.fatal("runtimeArgs are for a path", "write options, or take them out", at...)
		}
	}
}

// defaultRuntime looks for the runtime that containers get. Since 23.0 it may be one of
// containerd's, by the name of its shim.
func defaultRuntime(c *check) {
	name := c.setting("default-runtime")
	all, _ := c.value("runtimes")
	runtime, own := all.get(name)
	path := runtime.field("path").literal
	switch {
	case name == "" || name == "runc" || c.addedByFlag(name):
	case own && strings.HasPrefix(path, "/") && c.missing(path):
		c.unusable(fmt.Sprintf("there is no program %s", path), "install it, or take default-runtime out", "runtimes", name, "path")
	case own:
	case strings.HasPrefix(name, "io.containerd.runc."), name == "io.containerd.runtime.v1.linux" && !c.since(23, 0):
	case isShim(name) && c.since(23, 0):
		c.warn("dockerd takes the name for one of containerd's runtimes, and no container starts unless its shim is installed", "make sure that it is", "default-runtime")
	default:
		c.fatal(fmt.Sprintf("there is no runtime %q", name), `write it into "runtimes" as well`, "default-runtime")
	}
}

// addedByFlag reports whether a flag of dockerd adds the runtime. Before 23.0 that is
// not enough for a default that daemon.json names.
func (c *check) addedByFlag(name string) bool {
	if _, written := c.value("default-runtime"); written && !c.since(23, 0) {
		return false
	}
	for _, f := range c.flags {
		if own, _, _ := strings.Cut(f.value, "="); f.name == "add-runtime" && strings.EqualFold(strings.TrimSpace(own), name) {
			return true
		}
	}
	return false
}

// isShim reports whether a name is that of a runtime of containerd: a path to a shim,
// or io.containerd.NAME.VERSION.
func isShim(name string) bool {
	return strings.HasPrefix(name, "/") || strings.Count(name, ".") >= 2
}
