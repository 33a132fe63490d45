package daemonjson

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"molo/internal/jsontext"
)

// readFile decodes daemon.json as dockerd does, and reports whether there is anything
// to look into.
func (c *check) readFile() bool {
	text := c.in.Config
	if c.since(23, 0) {
		var ok bool
		if text, ok = c.plain(text); !ok {
			return false
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return true
		}
	}
	raw, err := c.decode(text)
	if err != nil {
		c.fatal(place(text, err))
		return false
	}
	if c.file = parse(raw); c.file.kind != Object && !c.file.null() {
		c.fatal(fmt.Sprintf("the file must be one JSON object, not %s", c.file.article()), "write { … } around it")
		return false
	}
	return true
}

// decode reads a JSON value as dockerd does: 20.10 reads the first one, and nothing
// behind it.
func (c *check) decode(text []byte) (json.RawMessage, error) {
	if c.since(23, 0) {
		var raw json.RawMessage
		return raw, json.Unmarshal(text, &raw)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	if rest := text[d.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		c.warn("dockerd does not read what stands behind the first object", "take it out")
	}
	return raw, nil
}

// plain takes a byte order mark away, and decodes UTF-16 that has one. 20.10 does
// neither.
func (c *check) plain(text []byte) ([]byte, bool) {
	rest := text
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		rest = text[3:]
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		rest = fromUTF16(text[2:], binary.LittleEndian)
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		rest = fromUTF16(text[2:], binary.BigEndian)
	case !utf8.Valid(text):
		c.fatal("the file is not UTF-8", "save it as UTF-8")
		return nil, false
	}
	if len(rest) != len(text) {
		c.warn("the file begins with a byte order mark, with which Docker 20.10 does not start", "save it as UTF-8 without one")
	}
	return rest, true
}

func fromUTF16(text []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(text)/2)
	for ; len(text) >= 2; text = text[2:] {
		units = append(units, order.Uint16(text))
	}
	return []byte(string(utf16.Decode(units)))
}

// place says in jsontext's words, which know the line, what is wrong with a text that
// encoding/json refuses.
func place(text []byte, err error) (why, hint string) {
	if len(bytes.TrimSpace(text)) == 0 {
		return "the file is empty, which Docker takes only since 23.0", "write {} into it, or remove it"
	}
	var at *jsontext.Error
	if _, parsed := jsontext.Parse(text); errors.As(parsed, &at) {
		why, hint, found := strings.Cut(strings.Replace(at.Message, ", and dockerd would not start", "", 1), ": ")
		if !found {
			hint = "correct it"
		}
		return fmt.Sprintf("line %d, column %d: %s", at.Line, at.Column, why), hint
	}
	return err.Error(), "write one JSON object"
}
