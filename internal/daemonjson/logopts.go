package daemonjson

import (
	"fmt"
	"regexp"
	"slices"
	"text/template"
)

// logOptions lists the options of a logging driver, besides those that every driver
// has; nil for none and for one that is not built in, which may have any.
func (c *check) logOptions(driver string) []string {
	attributes := []string{"env", "env-regex", "labels", "labels-regex"}
	tagged := slices.Concat(attributes, []string{"tag"})
	switch driver {
	case "local":
		return []string{"compress", "max-file", "max-size"}
	case "json-file":
		return append(tagged, "compress", "max-file", "max-size")
	case "journald":
		return tagged
	case "syslog":
		return append(tagged, "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify")
	case "gelf":
		return append(tagged, "gelf-address", "gelf-compression-level", "gelf-compression-type", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay")
	case "splunk":
		return append(tagged, "splunk-caname", "splunk-capath", "splunk-format", "splunk-gzip", "splunk-gzip-level", "splunk-index",
			"splunk-index-acknowledgment", "splunk-insecureskipverify", "splunk-source", "splunk-sourcetype", "splunk-token", "splunk-url", "splunk-verify-connection")
	case "gcplogs":
		return append(attributes, "gcp-log-cmd", "gcp-meta-id", "gcp-meta-name", "gcp-meta-zone", "gcp-project")
	case "fluentd":
		return append(tagged, c.fluentdOptions()...)
	case "awslogs":
		return c.awsOptions()
	}
	return nil
}

func (c *check) fluentdOptions() []string {
	all := []string{"fluentd-address", "fluentd-async", "fluentd-buffer-limit", "fluentd-max-retries", "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision"}
	if !c.since(28, 0) {
		all = append(all, "fluentd-async-connect")
	}
	if c.since(23, 0) {
		all = append(all, "fluentd-async-reconnect-interval")
	}
	if c.since(28, 2) {
		all = append(all, "fluentd-write-timeout")
	}
	if c.since(29, 0) {
		all = append(all, "fluentd-read-timeout")
	}
	return all
}

func (c *check) awsOptions() []string {
	all := []string{
		"awslogs-create-group", "awslogs-credentials-endpoint", "awslogs-datetime-format", "awslogs-endpoint", "awslogs-force-flush-interval-seconds",
		"awslogs-group", "awslogs-max-buffered-events", "awslogs-multiline-pattern", "awslogs-region", "awslogs-stream", "tag",
	}
	if c.since(23, 0) {
		all = append(all, "awslogs-format")
	}
	if c.since(29, 0) {
		all = append(all, "awslogs-create-stream")
	}
	return all
}

// logTag looks at the tag of log entries, a template over what a container is.
func (c *check) logTag(tag string) {
	if tag == "" || !slices.Contains(c.logOptions(c.driver()), "tag") {
		return
	}
	functions := template.FuncMap{}
	for _, name := range []string{"json", "split", "join", "title", "lower", "upper", "pad", "truncate"} {
		functions[name] = func() string { return "" } // it is never called: whether the template is one is all that counts
	}
	_, err := template.New("tag").Funcs(functions).Parse(tag)
	for _, field := range regexp.MustCompile(`\{\{-?\s*\.(\w+)`).FindAllStringSubmatch(tag, -1) {
		if !slices.Contains(tagFields(), field[1]) {
			err = fmt.Errorf("a container has no %s", field[1])
		}
	}
	if err != nil {
		c.unusable("the tag is not a template that Docker can fill in", `write one such as "{{.Name}}"`, "log-opts", "tag")
	}
}

// tagFields lists what a tag may name of a container.
func tagFields() []string {
	return []string{
		"Command", "Config", "ContainerArgs", "ContainerCreated", "ContainerEntrypoint", "ContainerEnv", "ContainerID", "ContainerImageID",
		"ContainerImageName", "ContainerLabels", "ContainerName", "DaemonName", "ExtraAttributes", "FullID", "Hostname", "ID", "ImageFullID",
		"ImageID", "ImageName", "LogPath", "Name",
	}
}
