// Package unitfile reads from systemd's unit files what a service is started with, and
// from which line of which file each argument comes: systemd itself only tells the
// command as it stands in the last file that sets it (systemd.service(5),
// systemd.exec(5), systemd.syntax(7)).
package unitfile

import (
	"fmt"
	"strings"
)

// File is a unit file, a drop-in of one, or an environment file.
type File struct {
	Path string
	Text string
}

// Argument is one argument of a command and the line that it comes from.
type Argument struct {
	Text  string
	Where string // "/etc/default/docker:3"
}

// Unit is what the files of a service say about how it is started.
type Unit struct {
	command      setting   // ExecStart=
	environment  []setting // Environment=
	environments []setting // EnvironmentFile=
}

// setting is the value of one directive.
type setting struct {
	value string
	where string
}

// Parse reads a unit file and its drop-ins, in the order in which systemd reads them.
// The last ExecStart= counts; a service that is no oneshot has one.
func Parse(files ...File) Unit {
	var u Unit
	for _, f := range files {
		section := ""
		for _, l := range logicalLines(f) {
			if strings.HasPrefix(l.value, "[") {
				section = l.value
				continue
			}
			name, value, ok := strings.Cut(l.value, "=")
			if ok && section == "[Service]" {
				u.set(strings.TrimSpace(name), setting{strings.TrimSpace(value), l.where})
			}
		}
	}
	return u
}

// Value returns what the files of a unit, in the order in which systemd reads them, set a
// directive of a section to, and the line that does; "" where none does.
func Value(section, name string, files ...File) (value, where string) {
	for _, f := range files {
		current := ""
		for _, l := range logicalLines(f) {
			if strings.HasPrefix(l.value, "[") {
				current = l.value
			}
			key, set, ok := strings.Cut(l.value, "=")
			if ok && current == "["+section+"]" && strings.TrimSpace(key) == name {
				value, where = strings.TrimSpace(set), l.where
			}
		}
	}
	return value, where
}

// set takes one directive over. An empty value takes back what came before it.
func (u *Unit) set(name string, s setting) {
	switch name {
	case "ExecStart":
		u.command = s
	case "Environment":
		u.environment = extend(u.environment, s)
	case "EnvironmentFile":
		u.environments = extend(u.environments, s)
	}
}

func extend(list []setting, s setting) []setting {
	if s.value == "" {
		return nil
	}
	return append(list, s)
}

// EnvironmentFiles lists the environment files that the unit names.
func (u Unit) EnvironmentFiles() []string {
	var all []string
	for _, e := range u.environments {
		all = append(all, strings.TrimPrefix(e.value, "-"))
	}
	return all
}

// Arguments returns the command without the path of the program. The environment files
// are those of EnvironmentFiles, in their order; one that is not there has no text.
func (u Unit) Arguments(environment ...File) []Argument {
	variables := map[string]setting{}
	for _, e := range u.environment {
		for _, word := range split(e.value) {
			if name, value, ok := strings.Cut(word, "="); ok {
				variables[name] = setting{value, e.where}
			}
		}
	}
	for _, f := range environment {
		for _, l := range logicalLines(f) {
			if name, value, ok := strings.Cut(l.value, "="); ok {
				variables[strings.TrimSpace(name)] = setting{unquote(strings.TrimSpace(value)), l.where}
			}
		}
	}
	words := split(u.command.value)
	if len(words) == 0 {
		return nil
	}
	var all []Argument
	for _, word := range words[1:] {
		all = append(all, expand(word, u.command.where, variables)...)
	}
	return all
}

// expand replaces variables: $NAME as a word of its own becomes any number of words,
// ${NAME} is replaced where it stands.
func expand(word, where string, variables map[string]setting) []Argument {
	if name, ok := strings.CutPrefix(word, "$"); ok && name != "" && name[0] != '{' && name[0] != '$' {
		v := variables[name]
		var all []Argument
		for _, w := range split(v.value) {
			all = append(all, Argument{w, v.where})
		}
		return all
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(word, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			out.WriteString(word)
			return []Argument{{strings.ReplaceAll(out.String(), "$$", "$"), where}}
		}
		out.WriteString(before + variables[name].value)
		if v, known := variables[name]; known {
			where = v.where
		}
		word = after
	}
}

// logicalLines joins lines that end in a backslash and leaves comments and empty lines
// out. The place of a line is where it begins.
func logicalLines(f File) []setting {
	var all []setting
	number, begun := 0, 0
	var pending strings.Builder
	for line := range strings.Lines(f.Text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue // also between the lines of one that is continued
		}
		if begun == 0 {
			begun = number
		}
		if head, more := strings.CutSuffix(line, `\`); more {
			pending.WriteString(head + " ")
			continue
		}
		pending.WriteString(line)
		if text := strings.TrimSpace(pending.String()); text != "" {
			all = append(all, setting{text, fmt.Sprintf("%s:%d", f.Path, begun)})
		}
		pending.Reset()
		begun = 0
	}
	if text := strings.TrimSpace(pending.String()); text != "" {
		all = append(all, setting{text, fmt.Sprintf("%s:%d", f.Path, begun)})
	}
	return all
}

// split cuts a value into words; quotes group and are taken off.
func split(value string) []string {
	var words []string
	for value = strings.TrimSpace(value); value != ""; value = strings.TrimLeft(value, " \t") {
		var word strings.Builder
		for value != "" && value[0] != ' ' && value[0] != '\t' {
			if quote := value[0]; quote == '"' || quote == '\'' {
				if inner, rest, closed := strings.Cut(value[1:], string(quote)); closed {
					word.WriteString(inner)
					value = rest
					continue
				}
			}
			word.WriteByte(value[0])
			value = value[1:]
		}
		words = append(words, word.String())
	}
	return words
}

// unquote takes one pair of quotes off a value of an environment file.
func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
