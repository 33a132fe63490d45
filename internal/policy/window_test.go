package policy

import (
	"strings"
	"testing"
	"time"
)

func TestAWindowIsOpenWhenItSays(t *testing.T) {
	// Sunday, 29 November 2026.
	at := func(text string) time.Time {
		t.Helper()
		moment, err := time.Parse("2 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 11, moment.Day(), moment.Hour(), moment.Minute(), 59, 0, time.UTC)
	}
	tests := []struct {
		window string
		open   []string
		shut   []string
		next   string // after the 24th (Tuesday), 12:00
	}{
		{"03:00-05:00", []string{"29 03:00", "24 04:59"}, []string{"29 02:59", "29 05:00"}, "25 03:00"},
		{"Sun 03:00-05:00", []string{"29 03:00", "29 04:59"}, []string{"28 03:00", "29 05:00"}, "29 03:00"},
		{"Mon-Fri 23:30-00:30", []string{"24 23:30", "25 00:29", "28 00:15"}, []string{"23 00:15", "28 23:45", "29 00:15", "24 12:00"}, "24 23:30"},
		{"Sat-Mon,Wed 12:00-13:00", []string{"28 12:30", "29 12:30", "23 12:30", "25 12:30"}, []string{"24 12:30", "26 12:30"}, "25 12:00"},
		{"Tue 12:00-12:30", []string{"24 12:29"}, []string{"24 12:30"}, ""},
	}
	for _, test := range tests {
		w, fault := window(test.window)
		if fault != nil {
			t.Fatalf("%s: %+v", test.window, fault)
		}
		again, fault := window(w.String())
		if fault != nil || again != w {
			t.Errorf("%s is written %q, which is read as %+v", test.window, w, again)
		}
		for _, moment := range test.open {
			if !w.Contains(at(moment)) {
				t.Errorf("%s is not open on the %s", test.window, moment)
			}
		}
		for _, moment := range test.shut {
			if w.Contains(at(moment)) {
				t.Errorf("%s is open on the %s", test.window, moment)
			}
		}
		if test.next != "" {
			if got := w.Next(at("24 12:00")).Format("2 15:04"); got != test.next {
				t.Errorf("%s opens next on the %s, want %s", test.window, got, test.next)
			}
		}
	}
	if !(Window{}).Next(at("24 12:00")).IsZero() || (Window{}).Contains(at("24 12:00")) {
		t.Error("no window opens")
	}
}

func TestWhatIsNoWindow(t *testing.T) {
	for _, s := range []string{"", "03:00", "3:00-5:00", "Sun", "Sun 03:00-24:00", "sun 03:00-05:00", "Sun- 03:00-05:00", "Sun 03:00-03:00", "Sun, 01:00-02:00", "01:00-02:00 Sun"} {
		if w, fault := window(s); fault == nil || !strings.Contains(fault.why, s) {
			t.Errorf("%q is the window %+v, fault %+v", s, w, fault)
		}
	}
}
