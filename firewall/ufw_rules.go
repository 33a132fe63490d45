package firewall

import (
	"fmt"
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

// parseRules reads user.rules or user6.rules. What counts is the tuple lines: UFW
// makes the rules below each of them out of it.
func parseRules(path, text string, v6 bool) ([]UFWRule, []Finding, error) {
	section, err := ruleSection(path, text)
	if err != nil {
		return nil, nil, err
	}
	var rules []UFWRule
	var findings []Finding
	below := false // a tuple, so that rules may follow
	for _, l := range section {
		tuple, isTuple := strings.CutPrefix(l.text, tupleMark)
		switch {
		case isTuple:
			rule, err := parseTuple(tuple, v6)
			rule.Line = l.number
			below = true
			if err == nil {
				rules = append(rules, rule)
				continue
			}
			if rule.Action != ActionAllow {
				return nil, nil, fmt.Errorf("reading %s: %w: leaving this rule out could open what it closes", at(path, l.number), err)
			}
			findings = append(findings, Finding{
				Where: at(path, l.number),
				What:  fmt.Sprintf("rule not understood, published ports that it opens stay shut: %v", err),
			})
		case l.text == "":
			below = false
		case !below:
			return nil, nil, fmt.Errorf("reading %s: a line that ufw did not write: only rules made with the ufw command can be mirrored", at(path, l.number))
		}
	}
	return rules, findings, nil
}

// ruleSection returns the lines between the marks. Each has to be there once: UFW
// writes the file in place, so a reader may see the first half of it.
func ruleSection(path, text string) ([]line, error) {
	var section []line
	begin, end := 0, 0 // line numbers
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
		case strings.HasPrefix(text, tupleMark):
			return nil, fmt.Errorf("reading %s: a rule outside the list of rules", at(path, number))
		}
	}
	if begin == 0 || end == 0 {
		return nil, fmt.Errorf("reading %s: no complete list of rules from %q to %q", path, rulesBegin, rulesEnd)
	}
	return section, nil
}
