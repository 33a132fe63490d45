package lint

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"molo/internal/audit"
	"molo/internal/policy"
)

// Dockerfile judges the image that a Dockerfile makes: its last stage, and what any
// stage could give away.
func Dockerfile(p *policy.Policy, name string, data []byte) ([]Finding, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("reading %s: %w", name, errTooLong)
	}
	stages, args, err := stagesOf(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	d := dockerfile{policy: p, name: name, stages: stages, args: args, global: globals(args)}
	var all []Finding
	for i := range stages {
		all = append(all, d.base(i)...)
		all = append(all, d.commands(i)...)
	}
	for _, a := range args {
		all = append(all, d.secretArgs(a)...)
	}
	return sorted(append(append(all, d.user()...), d.healthCheck()...)), nil
}

// dockerfile is one that is being judged.
type dockerfile struct {
	policy *policy.Policy
	name   string
	stages []instructions.Stage
	args   []instructions.ArgCommand // before the first FROM
	global variables
}

// stagesOf parses a Dockerfile. BuildKit quotes lines that it can't read; they could
// hold a secret, so that only their numbers are told.
func stagesOf(data []byte) ([]instructions.Stage, []instructions.ArgCommand, error) {
	r, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, nil, unread(err)
	}
	stages, args, err := instructions.Parse(r.AST, nil)
	if err != nil {
		return nil, nil, unread(err)
	}
	if len(stages) == 0 {
		return nil, nil, errors.New("there is no FROM in it")
	}
	return stages, args, nil
}

// unread says where a Dockerfile can't be read.
func unread(err error) error {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 && at.Locations[0][0].Start.Line > 0 {
		return fmt.Errorf("line %d is not one of a Dockerfile, or lacks something", at.Locations[0][0].Start.Line)
	}
	return errors.New("it is not a Dockerfile that BuildKit can read")
}

func (d *dockerfile) found(rule string, location []parser.Range, text, fix string) []Finding {
	line := 1
	if len(location) > 0 {
		line = location[0].Start.Line
	}
	return found(d.policy, Finding{File: d.name, Line: line, Rule: rule, Text: text, Fix: fix})
}

// external returns the image that a stage begins with, and false where that is
// another stage, or nothing.
func (d *dockerfile) external(i int) (string, bool) {
	base := d.global.expand(d.stages[i].BaseName)
	return base, base != "scratch" && d.parent(i) < 0
}

// parent is the stage that a stage begins with; -1: none of this file.
func (d *dockerfile) parent(i int) int {
	base := d.global.expand(d.stages[i].BaseName)
	return slices.IndexFunc(d.stages[:i], func(s instructions.Stage) bool { return s.Name != "" && strings.EqualFold(s.Name, base) })
}

// baseRule is about what an image is made from. It is no check of the audit, which
// does not see Dockerfiles.
const baseRule = "image-base-pinned"

// base judges what a stage begins with.
func (d *dockerfile) base(i int) []Finding {
	image, outside := d.external(i)
	if !outside || strings.Contains(image, "@sha256:") {
		return nil
	}
	level, text := audit.Info, "the tag can be moved to another image"
	switch {
	case image == "":
		level, text = audit.Recommended, "has no image where nothing is said when it is built"
	case tag(image) == "" || tag(image) == "latest":
		level, text = audit.Recommended, "is another image tomorrow"
	}
	return found(d.policy, Finding{
		File: d.name, Line: line(d.stages[i].Location), Rule: baseRule, Level: level, Text: "FROM " + d.stages[i].BaseName + " " + text,
		Fix: "name a version and its digest: NAME:TAG@sha256:…",
	})
}

func line(location []parser.Range) int {
	if len(location) == 0 {
		return 1
	}
	return location[0].Start.Line
}

// tag is that of the name of an image. A colon before the last slash is of a port.
func tag(image string) string {
	_, last, found := cutLast(image, "/")
	if !found {
		last = image
	}
	_, tag, _ := strings.Cut(last, ":")
	return tag
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// commands judges each line of a stage by itself.
func (d *dockerfile) commands(i int) []Finding {
	var all []Finding
	last := i == len(d.stages)-1
	for _, command := range d.stages[i].Commands {
		switch c := command.(type) {
		case *instructions.ArgCommand:
			all = append(all, d.secretArgs(*c)...)
		case *instructions.EnvCommand:
			for _, one := range c.Env {
				if audit.SecretName(one.Key) && one.Value != "" {
					all = append(all, d.found("image-secrets", c.Location(), "sets "+one.Key+", which everybody reads who has the image", secretFix)...)
				}
			}
		case *instructions.AddCommand:
			for _, source := range c.SourcePaths {
				if remote(source) && c.Checksum == "" {
					all = append(all, d.found("image-add-url", c.Location(), "adds what is at an address then, unchecked", "ADD --checksum=sha256:…, or COPY of a file that is checked")...)
				}
			}
		case *instructions.ExposeCommand:
			if last && slices.ContainsFunc(c.Ports, ssh) {
				all = append(all, d.found("container-sshd", c.Location(), "exposes port 22, which is for SSH", "use docker exec on the host instead")...)
			}
		}
	}
	return all
}

const secretFix = "RUN --mount=type=secret in the build, and a file when it runs; then change the secret"

// secretArgs finds arguments of the build that stay in its history.
func (d *dockerfile) secretArgs(c instructions.ArgCommand) []Finding {
	var all []Finding
	for _, one := range c.Args {
		if audit.SecretName(one.Key) {
			all = append(all, d.found("image-secrets", c.Location(), "takes "+one.Key+" as an argument, which stays in the image's history", secretFix)...)
		}
	}
	return all
}

func remote(source string) bool {
	lower := strings.ToLower(source)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

func ssh(port string) bool {
	number, _, _ := strings.Cut(port, "/")
	return number == "22"
}

// user judges as whom the image runs: the last USER of its last stage, or of the
// stages that it begins with. Where users are remapped, root is nobody on the host.
func (d *dockerfile) user() []Finding {
	if d.policy != nil && d.policy.Docker != nil && d.policy.Docker.UsernsRemap.V != "off" {
		return nil
	}
	const fix = "USER with a user of its own in the last stage: USER 1000:1000"
	i := len(d.stages) - 1
	from := d.stages[i].Location
	for ; i >= 0; i = d.parent(i) {
		known := variables{}
		var user *instructions.UserCommand
		value := ""
		for _, command := range d.stages[i].Commands {
			known.take(command, d.global)
			if c, ok := command.(*instructions.UserCommand); ok {
				user, value = c, known.expand(c.User)
			}
		}
		switch {
		case user == nil:
		case audit.RootUser(value):
			return d.found("container-user", user.Location(), "USER "+user.User+" is root", fix)
		default:
			return nil
		}
	}
	return d.found("container-user", from, "no USER: it runs as root unless the image that it begins with says otherwise", fix)
}

// healthCheck looks for a HEALTHCHECK in the last stage and those that it begins with.
func (d *dockerfile) healthCheck() []Finding {
	i := len(d.stages) - 1
	from := d.stages[i].Location
	for ; i >= 0; i = d.parent(i) {
		for _, command := range slices.Backward(d.stages[i].Commands) {
			c, ok := command.(*instructions.HealthCheckCommand)
			switch {
			case !ok:
			case c.Health != nil && len(c.Health.Test) > 0 && c.Health.Test[0] == "NONE":
				return d.found("image-health-check", c.Location(), "HEALTHCHECK NONE", "HEALTHCHECK CMD and what shows that it works")
			default:
				return nil
			}
		}
	}
	return d.found("image-health-check", from, "no HEALTHCHECK", "HEALTHCHECK CMD and what shows that it works")
}

// variables are those that a build knows, with the values that the file gives them.
type variables map[string]string

func globals(args []instructions.ArgCommand) variables {
	v := variables{}
	for i := range args {
		v.take(&args[i], nil)
	}
	return v
}

// take notes what a command sets. An argument without a value has that of before the
// first FROM.
func (v variables) take(command instructions.Command, global variables) {
	switch c := command.(type) {
	case *instructions.ArgCommand:
		for _, one := range c.Args {
			if one.Value != nil {
				v[one.Key] = v.expand(*one.Value)
			} else if value, ok := global[one.Key]; ok {
				v[one.Key] = value
			}
		}
	case *instructions.EnvCommand:
		for _, one := range c.Env {
			v[one.Key] = v.expand(one.Value)
		}
	}
}

const (
	maxReferences = 32   // in one word
	maxValue      = 4096 // of one variable, in bytes
)

// expand replaces variables; nothing stands for what can't be known. Bounds keep
// values that double in each line from filling the memory.
func (v variables) expand(word string) string {
	if len(word) > maxValue || strings.Count(word, "$") > maxReferences {
		return ""
	}
	value, _, err := shell.NewLex('\\').ProcessWord(word, v)
	if err != nil || len(value) > maxValue {
		return ""
	}
	return value
}

// Get returns the value of a variable.
func (v variables) Get(key string) (string, bool) { value, ok := v[key]; return value, ok }

// Keys lists the variables.
func (v variables) Keys() []string {
	var all []string
	for key := range v {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}
