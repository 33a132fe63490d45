package daemonjson

import (
	"slices"
	"strings"
)

// given is a command line flag that dockerd was given, by its long name.
type given struct{ name, value string }

// parseFlags reads dockerd's arguments as it does itself: --name value, --name=value,
// and shorthands that may stand together, the last of which may have a value.
func (ix *index) parseFlags(args []string) []given {
	var all []given
	for len(args) > 0 && args[0] != "--" {
		arg, rest := args[0], args[1:]
		args = rest
		switch {
		case strings.HasPrefix(arg, "--"):
			var f given
			f, args = ix.longFlag(arg[2:], rest)
			all = append(all, f)
		case strings.HasPrefix(arg, "-"):
			var some []given
			some, args = ix.shortFlags(arg[1:], rest)
			all = append(all, some...)
		}
	}
	return all
}

func (ix *index) longFlag(arg string, rest []string) (given, []string) {
	name, value, has := strings.Cut(arg, "=")
	switch {
	case has:
		return given{name, value}, rest
	case ix.isSwitch(name):
		return given{name, "true"}, rest
	case len(rest) == 0:
		return given{name: name}, nil
	}
	return given{name, rest[0]}, rest[1:]
}

func (ix *index) shortFlags(letters string, rest []string) ([]given, []string) {
	var all []given
	for letters != "" {
		name := ix.longName(letters[:1])
		letters = letters[1:]
		if ix.isSwitch(name) && !strings.HasPrefix(letters, "=") {
			all = append(all, given{name, "true"})
			continue
		}
		if letters != "" || len(rest) == 0 {
			return append(all, given{name, strings.TrimPrefix(letters, "=")}), rest
		}
		return append(all, given{name, rest[0]}), rest[1:]
	}
	return all, rest
}

// longName returns the long name of a shorthand, or the letter itself.
func (ix *index) longName(letter string) string {
	if k, ok := ix.byFlag[letter]; ok {
		return k.Flags[0]
	}
	switch letter {
	case "h":
		return "help"
	case "r":
		return "restart"
	case "v":
		return "version"
	}
	return letter
}

// isSwitch reports whether a flag stands alone.
func (ix *index) isSwitch(name string) bool {
	k, ok := ix.byFlag[name]
	return ok && k.Type.Kind == Bool || slices.Contains([]string{"help", "restart", "validate", "version"}, name)
}
