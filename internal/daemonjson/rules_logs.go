package daemonjson

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func logRules() []func(*check) {
	return []func(*check){logDriver, logOptionNames, logMode, logFiles, logAddress, logTemplates}
}

// builtIn lists the logging drivers that dockerd has itself.
func (c *check) builtIn() []string {
	drivers := []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "none", "splunk", "syslog"}
	if !c.since(25, 0) {
		drivers = append(drivers, "logentries")
	}
	return drivers
}

// driver returns the default logging driver.
func (c *check) driver() string {
	if name := c.setting("log-driver"); name != "" {
		return name
	}
	return "json-file"
}

// logDriver looks for a driver that is neither built in nor a plugin. dockerd does so
// only when it has options for it, or when a container is created.
func logDriver(c *check) {
	name := c.driver()
	if slices.Contains(c.builtIn(), name) || c.in.Host.Plugin != nil && c.in.Host.Plugin(name) {
		return
	}
	hint := `write "local", or install the plugin`
	if known := slices.Contains(c.builtIn(), strings.ToLower(name)); known {
		hint = fmt.Sprintf("write %q", strings.ToLower(name))
	}
	why := fmt.Sprintf("Docker has no logging driver %q, and no plugin of that name is known", name)
	options, _ := c.value("log-opts")
	switch {
	case c.in.Host.Plugin == nil && !missingEverywhere(name):
		c.warn(why, hint, "log-driver")
	case len(options.members) > 0:
		c.fatal(why, hint, "log-driver")
	default:
		c.unusable(why, hint, "log-driver")
	}
}

// missingEverywhere reports whether no plugin can have the name: Docker's plugins are
// in lower case, and logentries and etwlogs are drivers that were elsewhere.
func missingEverywhere(name string) bool {
	return name != strings.ToLower(name) || name == "logentries" || name == "etwlogs"
}

// logOptionNames looks for options that the driver does not know, of which dockerd
// dies. It looks at none of them for the driver none.
func logOptionNames(c *check) {
	options, _ := c.value("log-opts")
	known := c.logOptions(c.driver())
	for _, name := range options.names() {
		if known != nil && !slices.Contains(known, name) && !slices.Contains(everyDriver(), name) {
			c.unheard(fmt.Sprintf("the log driver %q does not know this option", c.driver()), "take the option out, or write the driver that it is for", "log-opts", name)
		}
	}
}

// everyDriver lists the options that every driver has.
func everyDriver() []string {
	return []string{"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"}
}

// logMode looks at how dockerd waits for the driver.
func logMode(c *check) {
	options, _ := c.value("log-opts")
	if c.driver() == "none" {
		return
	}
	mode := options.fieldExact("mode").literal
	if !slices.Contains([]string{"", "blocking", "non-blocking"}, mode) {
		c.fatal(fmt.Sprintf("%q is not a mode", mode), "write blocking or non-blocking", "log-opts", "mode")
	}
	if size, ok := options.get("max-buffer-size"); ok && mode != "non-blocking" {
		c.fatal("there is a buffer only where dockerd does not wait", `write "mode": "non-blocking" as well`, "log-opts", "max-buffer-size")
	} else if ok && !isSize(size.literal) {
		c.fatal(fmt.Sprintf("%q is not a size", size.literal), `write one such as "4m"`, "log-opts", "max-buffer-size")
	}
}

// logFiles looks at the bounds of log files, which dockerd reads only when it creates
// a container.
func logFiles(c *check) {
	options, _ := c.value("log-opts")
	driver := c.driver()
	if driver != "json-file" && driver != "local" {
		return
	}
	size, sized := options.get("max-size")
	zero := regexp.MustCompile(`^[0.]+\D*$`).MatchString(size.literal)
	if sized && (!isSize(size.literal) || zero && driver == "json-file") {
		c.unusable(fmt.Sprintf("%q is not a size of a file", size.literal), `write one such as "10m"`, "log-opts", "max-size")
	}
	count := map[string]int64{"json-file": 1, "local": 5}[driver]
	if files, ok := options.get("max-file"); ok {
		var err error
		if count, err = strconv.ParseInt(files.literal, 10, 64); err != nil || count < 1 {
			c.unusable(fmt.Sprintf("%q is not a number of files", files.literal), `write one in quotes, such as "5"`, "log-opts", "max-file")
			return
		}
	}
	c.logCompression(driver, options, count > 1 && (sized || driver == "local"))
}

// logCompression looks at compression, which needs a file that is rotated away. local
// compresses unless it is told not to.
func (c *check) logCompression(driver string, options value, rotates bool) {
	written, ok := options.get("compress")
	on, err := strconv.ParseBool(written.literal)
	switch {
	case ok && err != nil:
		c.unusable(fmt.Sprintf("%q is not a boolean", written.literal), `write "true" or "false", in quotes`, "log-opts", "compress")
	case !rotates && (on || !ok && driver == "local"):
		c.unusable("what is not rotated is not compressed", `write "max-size" and a "max-file" above 1, or "compress": "false"`, "log-opts", "compress")
	}
}

// logAddress looks at where drivers send to, which dockerd reads when it starts, and
// only when there is any option.
func logAddress(c *check) {
	options, any := c.value("log-opts")
	get := func(name string) string { return options.fieldExact(name).literal }
	if !any || len(options.members) == 0 {
		if slices.Contains([]string{"awslogs", "gelf", "splunk"}, c.driver()) {
			c.unusable(fmt.Sprintf("the driver %q does not know where to send", c.driver()), `write its options into "log-opts"`, "log-driver")
		}
		return
	}
	switch c.driver() {
	case "gelf":
		if u, err := url.Parse(get("gelf-address")); err != nil || u.Scheme != "udp" && u.Scheme != "tcp" || u.Port() == "" {
			c.fatal("the address is not one such as udp://192.0.2.1:12201", "write the protocol, the host and the port", "log-opts", "gelf-address")
		}
	case "syslog":
		c.syslog(get("syslog-address"), get("syslog-facility"), get("syslog-format"))
	case "awslogs":
		if get("awslogs-group") == "" {
			c.fatal("the driver does not know the group to send to", `write "awslogs-group" into "log-opts"`, "log-opts")
		}
	case "fluentd":
		c.fluentd(get)
	}
}

func (c *check) syslog(address, facility, format string) {
	u, err := url.Parse(address)
	switch {
	case address == "":
	case err != nil || !slices.Contains([]string{"udp", "tcp", "tcp+tls", "unix", "unixgram"}, u.Scheme):
		c.fatal(fmt.Sprintf("%q is not one such as udp://192.0.2.1:514", address), "write the protocol and the host", "log-opts", "syslog-address")
	case strings.HasPrefix(u.Scheme, "unix") && c.missing(u.Path):
		c.fatal(fmt.Sprintf("there is no socket %s", u.Path), "start what listens there before dockerd, or write another address", "log-opts", "syslog-address")
	}
	names := []string{"", "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	if number, err := strconv.Atoi(facility); !slices.Contains(names, facility) && (err != nil || number < 0 || number > 23) {
		c.fatal(fmt.Sprintf("%q is not a facility", facility), "write one such as daemon or local0", "log-opts", "syslog-facility")
	}
	if !slices.Contains([]string{"", "rfc3164", "rfc5424", "rfc5424micro"}, format) {
		c.fatal(fmt.Sprintf("%q is not a format", format), "write rfc3164, rfc5424 or rfc5424micro", "log-opts", "syslog-format")
	}
}

func (c *check) fluentd(get func(string) string) {
	for _, name := range []string{"fluentd-async", "fluentd-request-ack", "fluentd-sub-second-precision"} {
		if s := get(name); s != "" {
			if _, err := strconv.ParseBool(s); err != nil {
				c.fatal(fmt.Sprintf("%q is not a boolean", s), `write "true" or "false", in quotes`, "log-opts", name)
			}
		}
	}
	if s := get("fluentd-retry-wait"); s != "" {
		if _, err := time.ParseDuration(s); err != nil {
			c.fatal(fmt.Sprintf("%q is not a duration", s), `write one such as "1s"`, "log-opts", "fluentd-retry-wait")
		}
	}
	if s := get("fluentd-buffer-limit"); s != "" && !isSize(s) {
		c.fatal(fmt.Sprintf("%q is not a size", s), `write one such as "8m"`, "log-opts", "fluentd-buffer-limit")
	}
	if get("fluentd-async") != "true" && get("fluentd-async-connect") != "true" {
		c.warn("a container starts only while fluentd answers", `write "fluentd-async": "true" as well`, "log-driver")
	}
}

// logTemplates looks at what drivers compile when a container is created.
func logTemplates(c *check) {
	options, _ := c.value("log-opts")
	for _, name := range []string{"labels-regex", "env-regex"} {
		if s := options.fieldExact(name).literal; s != "" {
			if _, err := regexp.Compile(s); err != nil {
				c.unusable(fmt.Sprintf("%q is not a regular expression", s), "correct it, or take it out", "log-opts", name)
			}
		}
	}
	c.logTag(options.fieldExact("tag").literal)
}
