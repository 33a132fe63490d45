package provision

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// olderContainers says which containers keep what dockerd gave them when they were
// created: no restart of either changes it.
func olderContainers(p *policy.Docker, d facts.Docker) []Note {
	privileged := func(c facts.Container) bool {
		return p.NoNewPrivileges.V && isFalse(c.NoNewPrivileges) && !c.PrivilegesKept && !c.Privileged
	}
	unbounded := func(c facts.Container) bool {
		return c.LogDriver == "json-file" && c.LogOptions["max-size"] == "" && slices.Contains([]string{"local", "json-file"}, p.Log.Driver.V)
	}
	var notes []Note
	for _, old := range []struct {
		is    func(facts.Container) bool
		since string
		from  Origin
	}{
		{privileged, "no-new-privileges", From(p.NoNewPrivileges.Range)},
		{unbounded, "logs were bounded", From(p.Log.Driver.Range)},
	} {
		names := namesWhere(d.Containers, func(c facts.Container) bool { return c.Running && old.is(c) })
		if len(names) > 0 {
			text := fmt.Sprintf("%s created before %s and keep their old setting: recreate %s", were(len(names)), old.since, someOf(names))
			if len(names) == 1 {
				text = strings.Replace(text, "keep their", "keeps its", 1)
			}
			notes = append(notes, Note{text, old.from.String()})
		}
	}
	return notes
}

// remapBreaks names the containers that don't start any more once their root is remapped.
func remapBreaks(d facts.Docker) []string {
	return namesWhere(d.Containers, func(c facts.Container) bool {
		return c.UsernsMode != "host" && (c.Privileged || c.PIDMode == "host" || c.Network == "host")
	})
}

func namesWhere(containers []facts.Container, is func(facts.Container) bool) []string {
	var names []string
	for _, c := range containers {
		if is(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// someOf lists names, but no more than fit into a line.
func someOf(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func were(n int) string {
	if n == 1 {
		return "1 container was"
	}
	return fmt.Sprintf("%d containers were", n)
}

func isFalse(b *bool) bool { return b != nil && !*b }
