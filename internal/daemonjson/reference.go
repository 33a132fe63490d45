package daemonjson

import (
	"bytes"
	"fmt"
	"strings"
)

const referenceIntro = `# Keys of daemon.json

<!-- Made from the table in internal/daemonjson by "go test ./internal/daemonjson -update". -->

What dockerd takes in ` + "`/etc/docker/daemon.json`" + `, up to Docker %s. The attribute [` + "`settings`" + `](policy.md#docker) of the block
` + "`docker`" + ` is checked against it.

- dockerd refuses to start with a key that it does not know, and with one that it is also given as a flag, even of the same
  value. Only ` + "`runtimes`" + ` and ` + "`--add-runtime`" + ` add up.
- ` + "`null`" + ` is the same as not writing the key.
- A key that takes effect at a reload needs ` + "`systemctl reload docker`" + `, which does not say whether dockerd took it: its
  log does. Taking such a key out of the file needs a restart where the table says so; until then dockerd keeps the value.
- dockerd also takes the names of its flags for keys, such as ` + "`label`" + ` for ` + "`labels`" + `, and any object whose members are keys, such
  as ` + "`{\"foo\": {\"icc\": false}}`" + `. It starts and ignores what they say.
- Of a key that is written twice it takes the last, silently.

| Key | Type | Docker | Default | Takes effect | Flag |
| --- | --- | --- | --- | --- | --- |
`

// Reference returns docs/daemon-json.md: what the table says, in Markdown.
func Reference() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, referenceIntro, Newest())
	for _, k := range Keys() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, k.Type, k.engines(), k.fallback(), k.effect(), k.flagList())
	}
	return out.Bytes()
}

func (k Key) engines() string {
	switch {
	case k.Last != (Version{}):
		return fmt.Sprintf("%s to %s; %s", k.First, k.Last, k.Instead)
	case k.Instead != "":
		return fmt.Sprintf("since %s; %s", k.First, k.Instead)
	}
	return fmt.Sprintf("since %s", k.First)
}

func (k Key) fallback() string {
	if k.Default == "" {
		return ""
	}
	return "`" + k.Default + "`"
}

func (k Key) effect() string {
	var s string
	switch {
	case k.Effect == ByReload || k.Effect == ByRestart || k.Effect == ByEmptyRestart || k.Effect == NewRoot:
		s = k.Effect.String()
	case k.Reload:
		s = "at a reload, " + k.Effect.String()
	default:
		s = "at a restart, " + k.Effect.String()
	}
	if k.Reload && !k.Resets {
		s += "; taken out at a restart"
	}
	return s
}

func (k Key) flagList() string {
	all := make([]string, len(k.Flags))
	for i, name := range k.Flags {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		all[i] = "`" + dashes + name + "`"
	}
	return strings.Join(all, " ")
}
