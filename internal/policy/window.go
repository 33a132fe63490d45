package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is a time of the week, in the host's own time zone. The zero value is never open.
type Window struct {
	days     [7]bool // by time.Weekday; on which it opens
	from, to int     // minutes since midnight; to ≤ from: it closes on the day after
}

// Contains reports whether the window is open at a moment.
func (w Window) Contains(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	today, yesterday := w.days[t.Weekday()], w.days[(t.Weekday()+6)%7]
	if w.to > w.from {
		return today && w.from <= minute && minute < w.to
	}
	return today && w.from <= minute || yesterday && minute < w.to
}

// Next returns when the window opens next after a moment; the zero time if it never does.
func (w Window) Next(t time.Time) time.Time {
	for day := range 8 {
		opens := time.Date(t.Year(), t.Month(), t.Day()+day, w.from/60, w.from%60, 0, 0, t.Location())
		if w.days[opens.Weekday()] && opens.After(t) {
			return opens
		}
	}
	return time.Time{}
}

// String returns the window in short: "Mon-Fri,Sun 23:30-00:30".
func (w Window) String() string {
	times := fmt.Sprintf("%02d:%02d-%02d:%02d", w.from/60, w.from%60, w.to/60, w.to%60)
	var days []string
	for first := 0; first < 7; first++ {
		if !w.days[first] {
			continue
		}
		last := first
		for last < 6 && w.days[last+1] {
			last++
		}
		name := weekdays()[first]
		if last > first {
			name += "-" + weekdays()[last]
		}
		days = append(days, name)
		first = last
	}
	if len(days) == 1 && days[0] == "Sun-Sat" {
		return times
	}
	return strings.Join(days, ",") + " " + times
}

// MarshalText writes what String returns.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

func weekdays() []string { return []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} }

// window reads "03:00-05:00", "Sun 03:00-05:00" or "Mon-Fri,Sun 23:30-00:30".
func window(s string) (Window, *fault) {
	bad := func(why string) (Window, *fault) {
		return Window{}, &fault{
			summary: "Invalid window", why: fmt.Sprintf("%q %s.", s, why),
			hint: `write days, if it is not every day, and times, such as "Sun 03:00-05:00" or "Mon-Fri 23:30-00:30"`,
		}
	}
	w := Window{days: [7]bool{true, true, true, true, true, true, true}}
	days, times, named := strings.Cut(strings.TrimSpace(s), " ")
	if !named {
		times = days
	} else if w.days, named = daysOf(days); !named {
		return bad("names no days of the week: Mon, Tue, Wed, Thu, Fri, Sat, Sun")
	}
	from, to, ok := strings.Cut(strings.TrimSpace(times), "-")
	var ok1, ok2 bool
	w.from, ok1 = minutes(from)
	w.to, ok2 = minutes(to)
	switch {
	case !ok || !ok1 || !ok2:
		return bad("has no two times between 00:00 and 23:59")
	case w.from == w.to:
		return bad("opens and closes at once")
	}
	return w, nil
}

// daysOf reads "Sun", "Mon-Fri" and lists of them.
func daysOf(s string) (days [7]bool, ok bool) {
	for item := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(weekdays(), first), slices.Index(weekdays(), last)
		if from < 0 || to < 0 {
			return days, false
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, true
}

// minutes reads a time of the day.
func minutes(s string) (int, bool) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, false
	}
	return t.Hour()*60 + t.Minute(), true
}
