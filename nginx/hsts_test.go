package nginx

import (
	"testing"
	"time"
)

func TestHSTSHoldsForTheHostAloneUnlessAsked(t *testing.T) {
	for block, want := range map[string]string{
		"":                             "max-age=63072000",
		`max_age = "365d"`:             "max-age=31536000",
		`max_age = "0s"`:               "max-age=0",
		`max_age = ""`:                 "",
		`scope = "subdomains"`:         "max-age=63072000; includeSubDomains",
		`scope = "preload"`:            "max-age=63072000; includeSubDomains; preload",
		"max_age = \"\"\nscope = null": "",
	} {
		h := parseSites(t, "site \"a\" {\n upstream = \"127.0.0.1:1\"\n hsts {\n"+block+"\n}\n}\n")[0].HSTS
		got, sent := HSTS(h, time.Time{})
		if got.Value.V != want || sent != (want != "") {
			t.Errorf("%s: %q, sent %t, want %q", block, got.Value.V, sent, want)
		}
	}
}

func TestHSTSIsApproachedInSteps(t *testing.T) {
	h := parseSites(t, "site \"a\" {\n upstream = \"127.0.0.1:1\"\n hsts {\n scope = \"preload\"\n ramp_from = \"2026-11-24\"\n}\n}\n")[0].HSTS
	for _, tc := range []struct{ now, want string }{
		{"1970-01-01T00:00:00Z", "max-age=300"}, // a clock that is not set yet
		{"2026-11-24T00:00:00Z", "max-age=300"},
		{"2026-11-24T23:59:59Z", "max-age=300"},
		{"2026-11-25T00:00:00Z", "max-age=86400"},
		{"2026-11-30T23:59:59Z", "max-age=86400"},
		{"2026-12-01T00:00:00Z", "max-age=604800"},
		{"2026-12-23T23:59:59Z", "max-age=604800"},
		{"2026-12-24T00:00:00Z", "max-age=63072000; includeSubDomains; preload"},
	} {
		now, err := time.Parse(time.RFC3339, tc.now)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := HSTS(h, now); got.Value.V != tc.want {
			t.Errorf("%s: %q, want %q", tc.now, got.Value.V, tc.want)
		}
	}
	h.MaxAge.V, h.Scope.V = time.Hour, "host"
	now := h.RampFrom.V.Add(48 * time.Hour)
	if got, _ := HSTS(h, now); got.Value.V != "max-age=3600" {
		t.Errorf("an age that a step exceeds: %q", got.Value.V)
	}
}
