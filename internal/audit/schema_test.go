package audit

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"molo/internal/golden"
)

// schemaPath is where the schema of the report is, for those who read it.
const schemaPath = "../../docs/audit.schema.json"

// one is the schema of a name that is one of some.
func one[T ~string](names []T) *jsonschema.Schema {
	var all []any
	for _, n := range names {
		all = append(all, string(n))
	}
	return &jsonschema.Schema{Type: "string", Enum: all}
}

// reportSchema makes the schema of the report of the Go types. Members may be added within
// a version, so that none is ruled out.
func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.For[Report](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Status]():         one(Statuses()),
		reflect.TypeFor[Level]():          one(Levels()),
		reflect.TypeFor[Area]():           one(Areas()),
		reflect.TypeFor[map[Status]int](): {Type: "object", PropertyNames: one(Statuses()), AdditionalProperties: &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)}},
		reflect.TypeFor[time.Time]():      {Type: "string", Format: "date-time"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	unclose(schema)
	version := any(ReportVersion)
	schema.Properties["version"] = &jsonschema.Schema{Const: &version}
	schema.Schema, schema.Title = "https://json-schema.org/draft/2020-12/schema", "Report of molo audit"
	return schema
}

// unclose lets objects have members that the schema does not name.
func unclose(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.Properties != nil {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		unclose(p)
	}
	unclose(s.Items)
}

func TestTheSchemaOfTheReportIsThatOfTheGoTypes(t *testing.T) {
	text, err := json.MarshalIndent(reportSchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, schemaPath, string(text)+"\n", *update)
}

func TestReportsAreAsTheSchemaSays(t *testing.T) {
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var report any
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatal(err)
		}
		return resolved.Validate(report)
	}
	kept, err := os.ReadFile("testdata/report.json")
	if err != nil {
		t.Fatal(err)
	}
	compared := troubled(t)
	compared.Since = Compare(poisoned(t, "plain"), compared)
	for name, r := range map[string]any{"kept": json.RawMessage(kept), "compared": compared, "empty": NewReport(clean(t), nil, "", "")} {
		whole, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(string(whole)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range [][2]string{{`"version": 1`, `"version": 2`}, {`"status": "fail"`, `"status": "bad"`}, {`"slug": "daemon-icc",`, ""}, {`"level": "required"`, `"level": "high"`}} {
		if !strings.Contains(string(kept), wrong[0]) {
			t.Errorf("the report has no %s", wrong[0])
		}
		if valid(strings.Replace(string(kept), wrong[0], wrong[1], 1)) == nil {
			t.Errorf("%s in place of %s is let pass", wrong[1], wrong[0])
		}
	}
	if err := valid(strings.Replace(string(kept), `"version": 1`, `"version": 1, "hints": []`, 1)); err != nil {
		t.Errorf("a member that came later: %v", err)
	}
	if !slices.Contains(schema.Required, "findings") {
		t.Error("findings are not required")
	}
}
