package jsontext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"molo/internal/jsontext"
)

// FuzzParse holds Parse against encoding/json: it accepts what that reads as one
// object, less the duplicate keys, the nesting and the bytes that are not UTF-8.
func FuzzParse(f *testing.F) {
	for _, src := range ownersFiles() {
		f.Add([]byte(src))
	}
	for _, src := range []string{
		"", "\ufeff{}", "{\"a\":\"\xe6\"}", `{"a":1,}`, `{"a":1}//`, `{"a":1,"\u0061":2}`, `{"\ud800":1,"\udbff":2}`,
		`{"a":[01,-,1.e2,"\u12"]}`, "{\"a\":\"\x7f\x00\"}", `{"a":[`, `{"a":tru}`, `{}{}`, `["a"]`, "{\"a\"\v:1}",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := jsontext.Parse(src)
		if want := acceptable(src); want != (err == nil) {
			t.Fatalf("got error %v, want one: %v", err, !want)
		}
		if err == nil {
			if !bytes.Equal(src, doc.Bytes()) {
				t.Fatalf("%q became %q", src, doc.Bytes())
			}
			return
		}
		var where *jsontext.Error
		if !errors.As(err, &where) {
			t.Fatalf("%v is not an *Error", err)
		}
		if where.Offset < 0 || where.Offset > len(src) {
			t.Fatalf("offset %d is outside of the text", where.Offset)
		}
		lines := strings.Split(string(src), "\n")
		if where.Line < 1 || where.Line > len(lines) || where.Column < 1 || where.Column > 1+utf8.RuneCountInString(lines[where.Line-1]) {
			t.Fatalf("line %d, column %d is outside of the text", where.Line, where.Column)
		}
	})
}

// acceptable is Parse's contract, spelled with encoding/json.
func acceptable(src []byte) bool {
	if len(bytes.Trim(src, " \t\r\n")) == 0 {
		return true
	}
	if !json.Valid(src) || !utf8.Valid(src) {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(src))
	decoder.UseNumber()
	return bytes.TrimLeft(src, " \t\r\n")[0] == '{' && strict(decoder, 0)
}

// strict reads a value inside depth containers.
func strict(decoder *json.Decoder, depth int) bool {
	token, err := decoder.Token()
	if err != nil {
		return false
	}
	open, ok := token.(json.Delim)
	if !ok {
		return true
	}
	if depth == 1000 {
		return false
	}
	keys := map[json.Token]bool{}
	for decoder.More() {
		if open == '{' {
			key, err := decoder.Token()
			if err != nil || keys[key] {
				return false
			}
			keys[key] = true
		}
		if !strict(decoder, depth+1) {
			return false
		}
	}
	_, err = decoder.Token()
	return err == nil
}

// FuzzEdits edits whatever Parse accepts.
func FuzzEdits(f *testing.F) {
	for _, src := range ownersFiles() {
		f.Add(src, uint64(1))
	}
	f.Add("", uint64(2))
	f.Add("{\"icc\":{\"log-opts\"\r:\n\r{\t}}, \"icc \" :[\r\n]}", uint64(3))
	f.Fuzz(func(t *testing.T, src string, seed uint64) {
		if _, err := jsontext.Parse([]byte(src)); err == nil {
			checkEdits(t, src, randomEdits(rand.New(rand.NewPCG(seed, 4))))
		}
	})
}
