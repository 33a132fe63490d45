package nginx

import (
	"strings"
)

// Answer is what a browser learns of a site from one page of it.
type Answer struct {
	Host    string
	TLS     bool                // it came over TLS, with a certificate that browsers trust
	Headers map[string][]string // by name, in any case
	// Origin is the header Origin of the request, if it had one.
	Origin string
	// Plain says that http://HOST/ is answered, and Route through which addresses it
	// leads, the first and the last included.
	Plain bool
	Route []string
}

// Score is what the HTTP Observatory of Mozilla and MDN makes of an answer.
type Score struct {
	Points int    `json:"points"` // 100 and more is the best
	Grade  string `json:"grade"`  // "A+" to "F"
	Marks  []Mark `json:"marks"`  // in the order of the Observatory
}

// Mark is what one of its rules adds or takes.
type Mark struct {
	Rule   string `json:"rule"` // "content-security-policy"
	Points int    `json:"points"`
	Why    string `json:"why"`
}

// Observe scores an answer by the Observatory's rules, as of mdn-http-observatory in
// the summer of 2026. What it reads in pages is left out: it counts scripts of other
// sites without a digest (up to 50 points less), and policies in the page itself.
func Observe(a Answer) Score {
	csp := readCSP(a.values("Content-Security-Policy"))
	marks := []Mark{
		csp.mark(a), cookieMark(a), corsMark(a), redirectMark(a), referrerMark(a), hstsMark(a), sniffMark(a), frameMark(a, csp),
		corpMark(a), coopMark(a), coepMark(a),
	}
	all, lost := 100, 100
	for _, m := range marks {
		all += m.Points
		lost += min(m.Points, 0)
	}
	points := lost
	if lost >= 90 { // extra credit is for those who have lost little
		points = all
	}
	points = max(points, 0)
	return Score{Points: points, Grade: grade(points), Marks: marks}
}

// grade returns the letter for points.
func grade(points int) string {
	letters := []string{"F", "F", "F", "F", "F", "D-", "D", "D", "D+", "C-", "C", "C", "C+", "B-", "B", "B", "B+", "A-", "A", "A", "A+"}
	return letters[min(points/5, len(letters)-1)]
}

// values returns all values of a header.
func (a Answer) values(name string) []string {
	var out []string
	for key, values := range a.Headers {
		if strings.EqualFold(key, name) {
			out = append(out, values...)
		}
	}
	return out
}

// first returns a header's first value without what surrounds it, in lower case.
func (a Answer) first(name string) string {
	for _, v := range a.values(name) {
		return strings.ToLower(strings.TrimSpace(v))
	}
	return ""
}
