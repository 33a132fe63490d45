package provision

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"molo/internal/jsontext"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
)

// Line is one line of a change as a person reads it. Sign is "+", "-", "~" or " ".
type Line struct {
	Sign string `json:"sign"`
	Text string `json:"text"`
	Rule string `json:"rule,omitempty"` // the firewall rule that Text is the reason for
}

// Action is what happens to a resource.
type Action string

// The actions, with the signs of a plan.
const (
	Create Action = "create" // +
	Update Action = "update" // ~
	Remove Action = "remove" // -
)

// Sign returns the sign that a plan shows for the action.
func (a Action) Sign() string {
	return map[Action]string{Create: "+", Update: "~", Remove: "-"}[a]
}

// Action says what happens to the resource.
func (c Change) Action() Action {
	switch link, isLink := c.Want.(resource.Link); {
	case c.Want == nil || isLink && link.Target == "":
		return Remove
	case c.Have == nil:
		return Create
	}
	return Update
}

// Title names what changes: a file, a key of it, the rules of a family.
func (c Change) Title() string {
	switch r := either(c).(type) {
	case resource.Key:
		return strings.Join(names(r.Path), ".")
	case resource.File:
		return r.Path
	case resource.Link:
		return r.Path + " -> " + target(c)
	case resource.Tree:
		return r.Dir
	case resource.SubIDs:
		return fmt.Sprintf("%s: %s", r.File, r)
	case resource.Access:
		return fmt.Sprintf("%s: %s -> %s", r.Path, c.Have, c.Want)
	case resource.Sysctl:
		have, _ := c.Have.(resource.Sysctl)
		return fmt.Sprintf("%s = %s -> %s", policy.KernelName(r.Name), have.Value, r.Value)
	case resource.Certificate:
		return fmt.Sprintf("certificate for %s, from %s", strings.Join(r.Names, ", "), authority(r))
	case resource.Rules:
		return fmt.Sprintf("%s %s: chain %s, first in %s", r.Family, r.Table, r.Names()[0], firstHook(r))
	}
	return string(c.ID)
}

// Lines shows what changes inside the resource.
func (c Change) Lines() []Line {
	switch r := either(c).(type) {
	case resource.Certificate:
		if r.Why != "" {
			return []Line{{Sign: " ", Text: r.Why}}
		}
	case resource.Key:
		return keyLines(c)
	case resource.File:
		return fileLines(c)
	case resource.Tree:
		return treeLines(c)
	case resource.Rules:
		return rulesLines(c)
	}
	return nil
}

func either(c Change) resource.Resource {
	if c.Want != nil {
		return c.Want
	}
	return c.Have
}

func target(c Change) string {
	for _, r := range []resource.Resource{c.Want, c.Have} {
		if link, ok := r.(resource.Link); ok && link.Target != "" {
			return link.Target
		}
	}
	return ""
}

// authority names whom a certificate is ordered from.
func authority(c resource.Certificate) string {
	u, err := url.Parse(c.Directory)
	if err != nil || u.Host == "" {
		return "an authority"
	}
	return u.Host
}

func keyLines(c Change) []Line {
	have, _ := c.Have.(resource.Key)
	want, _ := c.Want.(resource.Key)
	is := " = "
	if key, ok := either(c).(resource.Key); ok && len(names(key.Path)) < len(key.Path) {
		is = ": "
	}
	switch c.Action() {
	case Create:
		return []Line{{"+", c.Title() + is + shown(want.Value), ""}}
	case Remove:
		return []Line{{"-", c.Title() + is + shown(have.Value), ""}}
	}
	return []Line{{"~", fmt.Sprintf("%s%s%s -> %s", c.Title(), is, shown(have.Value), shown(want.Value)), ""}}
}

// names returns the keys of a path, without the element of a list that it may lead to.
func names(path []string) []string {
	if n := len(path); n > 0 && jsontext.IsElement(path[n-1]) {
		return path[:n-1]
	}
	return path
}

// shown spells a value without the password that a URL in it may hold.
func shown(raw json.RawMessage) string {
	return regexp.MustCompile(`://[^/@"\s]*@`).ReplaceAllString(string(compact(raw)), "://…@")
}

// compact spells a JSON value on one line.
func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return raw
	}
	return out.Bytes()
}

func fileLines(c Change) []Line {
	have, _ := c.Have.(resource.File)
	want, _ := c.Want.(resource.File)
	if have.Sensitive || want.Sensitive {
		return []Line{{" ", "(content not shown)", ""}}
	}
	var lines []Line
	if c.Action() == Update && have.Mode != want.Mode {
		lines = append(lines, Line{"~", fmt.Sprintf("mode %04o -> %04o", have.Mode, want.Mode), ""})
	}
	return append(lines, textLines(string(have.Content), string(want.Content))...)
}

// textLines is a unified diff without its headers.
func textLines(have, want string) []Line {
	var lines []Line
	for text := range strings.Lines(udiff.Unified("", "", have, want)) {
		if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "@@") || strings.HasPrefix(text, "\\") {
			continue
		}
		lines = append(lines, Line{Sign: text[:1], Text: strings.TrimRight(text[1:], "\n")})
	}
	return lines
}

// treeLines shows new and removed files by name and the others as a diff.
func treeLines(c Change) []Line {
	have, _ := c.Have.(resource.Tree)
	want, _ := c.Want.(resource.Tree)
	names := slices.Collect(maps.Keys(have.Files))
	names = slices.AppendSeq(names, maps.Keys(want.Files))
	slices.Sort(names)
	var lines []Line
	if c.Have != nil && c.Want != nil && nginx.Edited(have) {
		lines = append(lines, Line{"~", fmt.Sprintf("edited by hand: what is written there goes, and is kept as gen-%s; the policy is the place for it", resource.Generation(have.Files)), ""})
	}
	for _, name := range slices.Compact(names) {
		old, was := have.Files[name]
		content, is := want.Files[name]
		switch {
		case !was:
			lines = append(lines, Line{"+", fmt.Sprintf("%s (%d lines)", name, bytes.Count(content, []byte("\n"))), ""})
		case !is:
			lines = append(lines, Line{"-", name, ""})
		case !bytes.Equal(old, content):
			lines = append(lines, Line{"~", path.Clean(name), ""})
			lines = append(lines, textLines(string(old), string(content))...)
		}
	}
	return lines
}

// rulesLines compares the rules as they were committed with those wanted, and says
// what each is for.
func rulesLines(c Change) []Line {
	have, _ := c.Have.(resource.Rules)
	want, _ := c.Want.(resource.Rules)
	if have.Digest == "" && len(have.Chains) > 0 && c.Want != nil {
		return []Line{{"~", "loaded anew: nothing is known of the rules that are there", ""}}
	}
	why := map[string]string{}
	var lines []Line
	for _, rule := range have.Drift {
		sign := map[string]string{"+": "-", "-": "+"}[rule[:1]]
		lines = append(lines, Line{sign, "changed by hand: " + rule[1:], rule[1:]})
	}
	for _, l := range textLines(ruleText(have, why), ruleText(want, why)) {
		if l.Sign == " " {
			continue
		}
		l.Text, l.Rule = why[l.Text], l.Text
		lines = append(lines, l)
	}
	for _, h := range want.Hooks {
		if c.Have != nil && !slices.Contains(have.Hooks, h) {
			lines = append(lines, Line{"~", fmt.Sprintf("the jump from %s to %s goes back to the top", h.From, h.To), ""})
		}
	}
	return lines
}

// firstHook names the chain that leads into the rules.
func firstHook(r resource.Rules) string {
	if len(r.Hooks) == 0 {
		return "no chain"
	}
	return r.Hooks[0].From
}

// ruleText writes rules one a line and notes what each is for.
func ruleText(r resource.Rules, why map[string]string) string {
	var text strings.Builder
	for _, chain := range r.Chains {
		for _, rule := range chain.Rules {
			// The digest that a rule carries changes with every other rule.
			line := "-A " + chain.Name + " " + strings.ReplaceAll(rule.Spec, r.Digest, "")
			if why[line] = rule.Why; rule.Why == "" {
				why[line] = line // printed by the kernel: nobody knows what for
			}
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}
