package jsontext_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/jsontext"
)

// edit is one Set and what is needed to undo it.
type edit struct {
	path  []string
	value json.RawMessage

	old   json.RawMessage
	had   bool
	depth int
}

func remember(doc *jsontext.Document, e edit) edit {
	e.old, e.had = doc.Get(e.path...)
	e.depth = doc.Depth(e.path...)
	return e
}

func (e edit) undo(t testing.TB, doc *jsontext.Document) {
	t.Helper()
	if !e.had {
		doc.Prune(e.depth, e.path...)
		return
	}
	if err := doc.Restore(e.old, e.path...); err != nil {
		t.Fatal(err)
	}
}

func TestEditsOfOneAnothersMembersAreUndoneInReverse(t *testing.T) {
	for name, src := range ownersFiles() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				checkEdits(t, src, randomEdits(rand.New(rand.NewPCG(seed, 0))))
			}
		})
	}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 1))
		checkEdits(t, randomObject(random, 3), randomEdits(random))
	}
}

// checkEdits makes the edits in two documents, of which one goes through its text
// after every step, and in a model of maps; then it takes them back one by one.
func checkEdits(t *testing.T, src string, edits []edit) {
	t.Helper()
	doc, stored, model := parse(t, src), parse(t, src), decoded(t, src)
	var done []edit
	var texts []string
	for _, e := range edits {
		before := string(doc.Bytes())
		e = remember(doc, e)
		err := doc.Set(e.value, e.path...)
		after := string(doc.Bytes())
		if err != nil { // a parent is no object
			if after != before {
				t.Fatalf("%v, but\n%s\nbecame\n%s", err, before, after)
			}
			continue
		}
		checkSplice(t, before, after, string(e.old))
		setInMaps(model, decoded(t, string(e.value)), e.path)
		if diff := cmp.Diff(model, decoded(t, after)); diff != "" {
			t.Fatalf("setting %q in\n%s\ngave\n%s\nvalues (-want +got):\n%s", e.path, before, after, diff)
		}
		set(t, stored, string(e.value), e.path...)
		stored = parse(t, string(stored.Bytes()))
		if diff := cmp.Diff(after, string(stored.Bytes())); diff != "" {
			t.Fatalf("parsed again before setting %q (-not parsed again +parsed again):\n%s", e.path, diff)
		}
		done, texts = append(done, e), append(texts, before)
	}
	for i, e := range slices.Backward(done) {
		e.undo(t, stored)
		stored = parse(t, string(stored.Bytes()))
		if diff := cmp.Diff(texts[i], string(stored.Bytes())); diff != "" && strings.Trim(texts[i], " \t\r\n") != "" {
			t.Fatalf("after undoing %q = %s (-want +got):\n%s", e.path, e.value, diff)
		}
	}
}

// checkSplice fails unless after is before with one piece of text inserted, in the
// place of old where that was there.
func checkSplice(t *testing.T, before, after, old string) {
	t.Helper()
	if strings.Trim(before, " \t\r\n") == "" {
		return
	}
	n := min(len(before), len(after))
	head, tail := 0, 0
	for head < n && before[head] == after[head] {
		head++
	}
	for tail < n && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	if head+tail < len(before)-len(old) {
		t.Fatalf("more than %q was changed in\n%s\nwhich became\n%s", old, before, after)
	}
}

func TestADocumentHoldsNothingThatItsTextDoesNotSay(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 5))
		src := randomObject(random, 3)
		doc, stored := parse(t, src), parse(t, src)
		for _, e := range randomEdits(random) {
			way := random.IntN(3)
			change(doc, e, way)
			change(stored, e, way)
			stored = parse(t, string(stored.Bytes()))
			if diff := cmp.Diff(string(doc.Bytes()), string(stored.Bytes())); diff != "" {
				t.Fatalf("%q in %q (-not parsed again +parsed again):\n%s", e.path, src, diff)
			}
		}
	}
}

// change edits doc in one of three ways; whether there is something to edit is not
// the matter.
func change(doc *jsontext.Document, e edit, way int) {
	switch way {
	case 0:
		_ = doc.Set(e.value, e.path...)
	case 1:
		doc.Delete(e.path[0])
	case 2:
		doc.Prune(0, e.path...)
	}
}

func TestEditsOfDifferentMembersAreUndoneInAnyOrder(t *testing.T) {
	for name, src := range ownersFiles() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				checkAnyOrder(t, src, rand.New(rand.NewPCG(seed, 2)))
			}
		})
	}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 3))
		checkAnyOrder(t, randomObject(random, 3), random)
	}
}

// checkAnyOrder makes random edits, of which none is inside another, and takes them
// back in another order, parsing the text again before each.
func checkAnyOrder(t *testing.T, src string, random *rand.Rand) {
	t.Helper()
	doc := parse(t, src)
	var edits []edit
	for _, e := range randomEdits(random) {
		if !slices.ContainsFunc(edits, e.overlaps) {
			edits = append(edits, remember(doc, e))
		}
	}
	edits = slices.DeleteFunc(edits, func(e edit) bool { return doc.Set(e.value, e.path...) != nil })
	random.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
	for _, e := range edits {
		doc = parse(t, string(doc.Bytes()))
		e.undo(t, doc)
	}
	if diff := cmp.Diff(src, string(doc.Bytes())); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// overlaps reports whether the path of one edit begins with that of the other.
func (e edit) overlaps(other edit) bool {
	n := min(len(e.path), len(other.path))
	return slices.Equal(e.path[:n], other.path[:n])
}

// setInMaps is Set for a decoded object.
func setInMaps(object, value any, path []string) {
	members := object.(map[string]any)
	name := path[0]
	switch {
	case len(path) == 1:
		members[name] = value
	case len(path) == 2 && strings.HasPrefix(path[1], "[]"):
		list, _ := members[name].([]any)
		if !slices.ContainsFunc(list, func(v any) bool { return reflect.DeepEqual(v, value) }) {
			list = append(slices.Clone(list), value)
		}
		members[name] = list
	default:
		if members[name] == nil {
			members[name] = map[string]any{}
		}
		setInMaps(members[name], value, path[1:])
	}
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	if strings.Trim(text, " \t\r\n") == "" {
		return map[string]any{}
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("reading %s: %v", text, err)
	}
	if decoder.More() {
		t.Fatalf("reading %s: text after the value", text)
	}
	return v
}
