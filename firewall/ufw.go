package firewall

import (
	"errors"
	"fmt"
	"strings"

	"molo/internal/facts"
)

// The files of UFW that count, as Debian installs them.
const (
	confPath     = "/etc/ufw/ufw.conf"
	defaultsPath = "/etc/default/ufw"
	rules4Path   = "/etc/ufw/user.rules"
	rules6Path   = "/etc/ufw/user6.rules"
)

// UFW is what UFW is told to do, as far as it concerns packets that come in.
type UFW struct {
	Active  bool    // installed and enabled; an inactive UFW has no rules here
	Quiet   bool    // LOGLEVEL=off: blocked packets are not logged
	IPv6    bool    // IPV6=yes; else UFW has no IPv6 rules, whatever user6.rules holds
	Input   Default // DEFAULT_INPUT_POLICY
	Forward Default // DEFAULT_FORWARD_POLICY; it opens no published port
	Rules4  []UFWRule
	Rules6  []UFWRule
}

// Default is a default policy of UFW.
type Default string

// The default policies, as /etc/default/ufw spells them.
const (
	DefaultAccept Default = "ACCEPT"
	DefaultDrop   Default = "DROP"
	DefaultReject Default = "REJECT"
)

// ParseUFW reads the texts of UFW 0.36. An allow rule that it does not understand
// is left out and becomes a finding: its port stays shut. Anything else that it does
// not understand is an error, because a deny or a limit left out would open what a
// later rule allows; so is a rule file without its end, which UFW leaves for a
// moment while it writes. Whether UFW is enabled is read from ufw.conf.
func ParseUFW(u facts.UFW) (UFW, []Finding, error) {
	ufw, settings, err := parseSettings(u)
	if err != nil || !ufw.Active {
		return ufw, nil, err
	}
	var problems [2]error
	ufw.Input, problems[0] = parseDefault(settings, "DEFAULT_INPUT_POLICY")
	ufw.Forward, problems[1] = parseDefault(settings, "DEFAULT_FORWARD_POLICY")
	if err := errors.Join(problems[:]...); err != nil {
		return UFW{}, nil, err
	}
	var findings, findings6 []Finding
	if ufw.Rules4, findings, err = parseRules(rules4Path, u.Rules4, false); err != nil {
		return UFW{}, nil, err
	}
	if ufw.IPv6 {
		if ufw.Rules6, findings6, err = parseRules(rules6Path, u.Rules6, true); err != nil {
			return UFW{}, nil, err
		}
	}
	return ufw, append(findings, findings6...), nil
}

// parseSettings reads all but the rules and the default policies.
func parseSettings(u facts.UFW) (UFW, map[string]string, error) {
	// UFW reads ufw.conf last, so it can overrule the other file.
	settings := assignments(u.Defaults + "\n" + u.Conf)
	ufw := UFW{
		Active: u.Installed && isYes(settings["ENABLED"]),
		Quiet:  strings.EqualFold(settings["LOGLEVEL"], "off"),
		IPv6:   isYes(settings["IPV6"]),
	}
	if ufw.Active && settings["MANAGE_BUILTINS"] == "yes" {
		return UFW{}, nil, fmt.Errorf("reading %s: MANAGE_BUILTINS=yes makes UFW flush every rule of the host, Docker's and molo's too, whenever it reloads\n"+
			"hint: set MANAGE_BUILTINS=no and run ufw reload", defaultsPath)
	}
	return ufw, settings, nil
}

// isYes compares as UFW's start-up script does.
func isYes(value string) bool { return value == "yes" || value == "YES" }

func parseDefault(settings map[string]string, key string) (Default, error) {
	switch d := Default(settings[key]); d {
	case DefaultAccept, DefaultDrop, DefaultReject:
		return d, nil
	default:
		return "", fmt.Errorf("reading %s: %s is %q, not ACCEPT, DROP or REJECT", defaultsPath, key, string(d))
	}
}

// assignments reads the KEY=VALUE lines of a file that UFW's start-up script reads
// with sh. The last assignment of a key holds.
func assignments(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			values[key] = unquote(value)
		}
	}
	return values
}

// unquote takes the quotes off a value, or a comment from behind it.
func unquote(value string) string {
	if value == "" {
		return ""
	}
	if quote := value[0]; quote == '"' || quote == '\'' {
		inner, _, _ := strings.Cut(value[1:], string(quote))
		return inner
	}
	if end := strings.IndexAny(value, " \t#;"); end >= 0 {
		return value[:end]
	}
	return value
}
