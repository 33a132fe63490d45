package daemonjson

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func storageRules() []func(*check) {
	return []func(*check){storageDriver, storageOptions, dataRoot, builderSizes}
}

// storageDriver looks for drivers that are gone or that nobody knows.
func storageDriver(c *check) {
	v, ok := c.value("storage-driver")
	features, _ := c.value("features")
	if !ok || v.literal == "" || c.since(23, 0) && features.fieldExact("containerd-snapshotter").literal == "true" {
		return // or it is the name of one of containerd's snapshotters
	}
	const hint = "write overlay2, or take the key out; the images in the old driver have to be pulled again"
	at := "storage-driver"
	switch gone, known := removedDrivers()[v.literal]; {
	case known && c.since(gone.Major, gone.Minor):
		c.fatal(fmt.Sprintf("Docker has no driver %q since %s", v.literal, gone), hint, at)
	case v.literal == "aufs" || v.literal == "devicemapper":
		c.fatal(fmt.Sprintf("neither Debian's dockerd nor its kernel has %q", v.literal), hint, at)
	case known || slices.Contains([]string{"overlay2", "vfs"}, v.literal):
	case slices.Contains([]string{"btrfs", "zfs", "fuse-overlayfs"}, v.literal):
		c.warn(fmt.Sprintf("dockerd starts with %q only where the file system and the programs for it are there", v.literal), "take the key out, and dockerd finds out itself", at)
	case c.since(29, 0):
		c.warn("this is no driver of Docker's, so it must be one of containerd's snapshotters", "take the key out, unless it is", at)
	default:
		c.fatal(fmt.Sprintf("Docker has no storage driver %q", v.literal), "write overlay2, or take the key out", at)
	}
}

// removedDrivers names the storage drivers that are gone, and the release that had
// them no longer.
func removedDrivers() map[string]Version {
	return map[string]Version{"aufs": {24, 0}, "overlay": {24, 0}, "devicemapper": {25, 0}}
}

// storageOptions looks at the options of the driver, which is overlay2 unless another
// one is written.
func storageOptions(c *check) {
	driver := c.setting("storage-driver")
	for i, s := range c.strings("storage-opts") {
		at := []string{"storage-opts", strconv.Itoa(i)}
		name, value, ok := strings.Cut(s, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		switch value = strings.TrimSpace(value); {
		case !ok:
			c.fatal(fmt.Sprintf("%q is not name=value", s), "write a value", at...)
		case driver != "" && driver != "overlay2" && driver != "vfs":
			return // the driver's own affair
		case name == "overlay2.override_kernel_check" && driver != "vfs":
			if c.since(24, 0) {
				c.fatal("Docker has no such option since 24.0", "take it out: kernels have been new enough for long", at...)
			}
		case name == "overlay2.size" && driver != "vfs" && isSize(value),
			name == "size" && driver == "vfs" && isSize(value):
			c.warn("dockerd starts with it only where its data lies on a file system with project quotas, such as XFS mounted with pquota", "take it out where it does not", at...)
		default:
			c.fatal(fmt.Sprintf("the storage driver has no option %q of this value", name), "take it out", at...)
		}
	}
}

// isSize reports whether dockerd reads s as a number of bytes, such as 10g or 1.5MiB.
func isSize(s string) bool {
	return regexp.MustCompile(`^\d+(\.\d+)*\s?[kKmMgGtTpP]?([iI])?[bB]?$`).MatchString(s)
}

func dataRoot(c *check) {
	v, ok := c.value("data-root")
	if !ok || v.literal == "" {
		return
	}
	const hint = `write the path of a directory, such as "/srv/docker"`
	switch file := c.in.Host.File; {
	case !strings.HasPrefix(v.literal, "/"):
		c.unusable("the path does not begin with /", hint, "data-root")
	case file != nil && file(v.literal):
		c.fatal("this is a file, where dockerd needs a directory", hint, "data-root")
	}
}

// builderSizes looks at the sizes in which the build cache is bounded.
func builderSizes(c *check) {
	v, _ := c.value("builder")
	gc := v.field("gc")
	c.builderSize(gc, "defaultKeepStorage", "builder", "gc")
	for i, policy := range gc.field("policy").items {
		c.builderSize(policy, "keepStorage", "builder", "gc", "policy", strconv.Itoa(i))
	}
}

func (c *check) builderSize(v value, name string, at ...string) {
	if s := v.field(name).literal; s != "" && !isSize(s) {
		c.fatal(fmt.Sprintf("%q is not a size", s), `write one such as "10GB"`, append(at, name)...)
	}
}
