package firewall

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The marks between which UFW keeps its rules, and the one of each rule.
const (
	rulesBegin = "### RULES ###"
	rulesEnd   = "### END RULES ###"
	tupleMark  = "### tuple ###"
)

// line is one line of a file, without its end, and its number.
type line struct {
	number int
	text   string
}

// parseRules reads user.rules or user6.rules. What counts is the tuple lines, and that
// the rules below each of them are those that UFW makes out of it.
func parseRules(path, text string, v6 bool) ([]UFWRule, []Finding, error) {
	section, err := ruleSection(path, text)
	if err != nil {
		return nil, nil, err
	}
	var rules []UFWRule
	var findings []Finding
	for len(section) > 0 {
		l := section[0]
		section = section[1:]
		if l.text == "" {
			continue
		}
		tuple, isTuple := strings.CutPrefix(l.text, tupleMark)
		if !isTuple {
			return nil, nil, fmt.Errorf("reading %s: a line that ufw did not write: only rules made with the ufw command can be mirrored", at(path, l.number))
		}
		var below []line
		for len(section) > 0 && section[0].text != "" && !strings.HasPrefix(section[0].text, tupleMark) {
			below, section = append(below, section[0]), section[1:]
		}
		rule, err := readRule(tuple, below, v6)
		rule.Line = l.number
		stops := new(editedError)
		switch {
		case err == nil:
			rules = append(rules, rule)
		case rule.Action != ActionAllow || errors.As(err, &stops):
			return nil, nil, fmt.Errorf("reading %s: %w: leaving this rule out could open what it closes", at(path, l.number), err)
		default:
			findings = append(findings, Finding{
				Where: at(path, l.number),
				What:  fmt.Sprintf("rule not understood, published ports that it opens stay shut: %v", err),
			})
		}
	}
	return rules, findings, nil
}

// readRule reads a tuple and the rules below it.
func readRule(tuple string, below []line, v6 bool) (UFWRule, error) {
	rule, err := parseTuple(tuple, v6)
	if err != nil && rule.Action == ActionAllow {
		return rule, errors.Join(err, checkAccepting(below))
	}
	if err != nil {
		return rule, err
	}
	tuple, _, _ = strings.Cut(tuple, " comment=")
	return rule, checkLines(tuple, below, v6)
}

// ruleSection returns the lines between the marks. Each has to be there once: UFW
// writes the file in place, so a reader may see the first half of it.
func ruleSection(path, text string) ([]line, error) {
	var section []line
	begin, end := 0, 0 // line numbers
	committed := false
	var odd error
	fits := frame()
	number := 0
	for text := range strings.Lines(text) {
		number++
		text = strings.TrimRight(text, " \t\r\n")
		switch {
		case text == rulesBegin && begin == 0:
			begin = number
		case text == rulesEnd && begin > 0 && end == 0:
			end = number
		case text == rulesBegin || text == rulesEnd:
			return nil, fmt.Errorf("reading %s: %q is not where it belongs", at(path, number), text)
		case begin > 0 && end == 0:
			section = append(section, line{number, text})
		case !fits.MatchString(text) || isUserRule(text):
			odd = errors.Join(odd, fmt.Errorf("reading %s: a line that ufw does not write outside the list of rules", at(path, number)))
		case text == "COMMIT":
			committed = end > 0
		}
	}
	if begin == 0 || end == 0 || !committed {
		return nil, fmt.Errorf("reading %s: no complete list of rules from %q to %q and COMMIT", path, rulesBegin, rulesEnd)
	}
	return section, odd
}

// frame matches the lines outside the list of rules as UFW 0.36 writes them: a file that
// iptables-restore would refuse leaves UFW without any rules.
func frame() *regexp.Regexp {
	return regexp.MustCompile(`^(\*filter|COMMIT|:ufw6?-[a-z-]+ - \[0:0\]|### (END )?[A-Z ]+ ###|#? ?|-[AI] ufw6?-[a-z-]+(` +
		strings.Join([]string{
			` -m (limit|conntrack)`, ` --limit \d+/[a-z]+`, ` --limit-burst \d+`, ` --ctstate [A-Z]+`,
			` -j (LOG|RETURN|ACCEPT|REJECT|DROP|ufw6?-[a-z-]+)`, ` --log-prefix "\[UFW [A-Z ]+\] "`,
		}, "|") + `)+)$`)
}

// isUserRule reports whether a rule is in one of the chains that the ufw command fills.
func isUserRule(text string) bool {
	if !strings.HasPrefix(text, "-") {
		return false
	}
	for _, chain := range []string{"-user-input", "-user-forward"} {
		if strings.Contains(text, chain) {
			return true
		}
	}
	return false
}
