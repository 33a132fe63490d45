package audit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest that a text of a finding may be, in characters. Names,
// labels and paths of containers are made by others, and can be megabytes.
const maxText = 200

// clean makes the texts of a finding safe for a terminal, and short.
func (f *Finding) clean() {
	for _, text := range []*string{&f.Want, &f.Got, &f.Where, &f.Why, &f.Fix} {
		*text = printable(*text)
	}
	if f.Sides != nil {
		for _, text := range []*string{&f.Sides.Policy, &f.Sides.File, &f.Sides.Effective} {
			*text = printable(*text)
		}
	}
}

// printable escapes what a terminal would obey or not show, as Go does in strings,
// and cuts what is too long.
func printable(text string) string {
	if plain(text) && len(text) <= maxText {
		return text
	}
	var out strings.Builder
	n := 0
	for i, r := range text {
		if n++; n > maxText {
			fmt.Fprintf(&out, "… (%d bytes)", len(text))
			break
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case shown(r):
			out.WriteRune(r)
		default:
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return out.String()
}

func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !shown(r) })
}

// shown reports whether a character shows as itself: no control or format
// character (they move the cursor and reorder the text), no other kind of blank.
func shown(r rune) bool { return r == ' ' || unicode.IsPrint(r) }
