package firewall

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"molo/internal/policy"
)

// Action is what a rule of UFW does.
type Action string

// The actions of UFW.
const (
	ActionAllow  Action = "allow"
	ActionDeny   Action = "deny"
	ActionReject Action = "reject"
	ActionLimit  Action = "limit"
)

// UFWRule is one rule as the ufw command was given it.
type UFWRule struct {
	Line        int // of the rule file
	Action      Action
	Log         bool
	Route       bool // "ufw route": about packets that are forwarded, addresses after translation
	Outgoing    bool // about what the host itself sends
	In, Out     Interface
	Protocol    Protocol
	Source      netip.Prefix       // zero: anywhere
	SourcePorts []policy.PortRange // empty: any
	Destination netip.Prefix
	Ports       []policy.PortRange
	App         string // name of the application profile that the ports come from
	SourceApp   string
	Comment     string
}

// parseTuple reads what follows "### tuple ###":
//
//	ACTION PROTOCOL PORTS DESTINATION PORTS SOURCE [APP SOURCEAPP] [DIRECTION] [comment=HEX]
//
// 6 to 9 fields and the comment. On an error the rule still has its Action, if that
// could be read.
func parseTuple(tuple string, v6 bool) (UFWRule, error) {
	tuple, comment, _ := strings.Cut(tuple, " comment=")
	fields := strings.Fields(tuple)
	var r UFWRule
	if len(fields) < 6 || len(fields) > 9 {
		return r, fmt.Errorf("%d fields instead of 6 to 9", len(fields))
	}
	if err := r.parseAction(fields[0]); err != nil {
		return r, err
	}
	var problems [6]error
	r.Protocol, problems[0] = parseProtocol(fields[1])
	r.Ports, problems[1] = parsePorts(fields[2])
	r.Destination, problems[2] = parseAddress(fields[3], v6)
	r.SourcePorts, problems[3] = parsePorts(fields[4])
	r.Source, problems[4] = parseAddress(fields[5], v6)
	rest := fields[6:]
	if len(rest) >= 2 {
		r.App, r.SourceApp = appName(rest[0]), appName(rest[1])
		rest = rest[2:]
	}
	if len(rest) == 1 { // UFW before 0.29 wrote none: "in"
		problems[5] = r.parseDirection(rest[0])
	}
	r.Comment = commentText(comment)
	if err := errors.Join(problems[:]...); err != nil {
		return r, err
	}
	return r, r.check()
}

func (r *UFWRule) parseAction(field string) error {
	field, r.Route = strings.CutPrefix(field, "route:")
	name, logType, hasLog := strings.Cut(field, "_")
	if hasLog && logType != "log" && logType != "log-all" {
		return fmt.Errorf("unknown kind of logging %q", logType)
	}
	r.Log = hasLog
	switch action := Action(name); action {
	case ActionAllow, ActionDeny, ActionReject, ActionLimit:
		r.Action = action
		return nil
	}
	return fmt.Errorf("unknown action %q", name)
}

// parseDirection reads "in", "out", "in_IF", "out_IF" or "in_IF!out_IF". In a route
// rule "out_IF" still is about forwarded packets.
func (r *UFWRule) parseDirection(field string) error {
	var err error
	for part := range strings.SplitSeq(field, "!") {
		direction, name, named := strings.Cut(part, "_")
		into := &r.In
		switch direction {
		case "in":
		case "out":
			into = &r.Out
			r.Outgoing = !r.Route
		default:
			return fmt.Errorf("unknown direction %q", field)
		}
		if !named {
			continue
		}
		if *into != "" {
			return fmt.Errorf("direction %q names two interfaces", field)
		}
		if *into, err = parseInterface(name); err != nil {
			return err
		}
	}
	return nil
}

// check finds fields that do not go together.
func (r *UFWRule) check() error {
	if r.Protocol != 0 && !r.Protocol.hasPorts() && len(r.Ports)+len(r.SourcePorts) > 0 {
		return fmt.Errorf("protocol %s has no ports", r.Protocol)
	}
	if !r.Route && r.In != "" && r.Out != "" {
		return errors.New("two interfaces in a rule that is not for forwarded packets")
	}
	return nil
}

// parsePorts reads "any" or "80,443,7000:7010".
func parsePorts(field string) ([]policy.PortRange, error) {
	if field == "any" {
		return nil, nil
	}
	var ranges []policy.PortRange
	for item := range strings.SplitSeq(field, ",") {
		low, high, isRange := strings.Cut(item, ":")
		if !isRange {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 10, 16)
		last, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first {
			return nil, fmt.Errorf("bad ports %q", field)
		}
		ranges = append(ranges, policy.PortRange{First: uint16(first), Last: uint16(last)})
	}
	return ranges, nil
}

// parseAddress reads an address or a prefix of the file's family. Dotted masks such
// as 10.0.0.0/255.0.255.0, which UFW takes, are not understood.
func parseAddress(field string, v6 bool) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(field)
	if addr, addrErr := netip.ParseAddr(field); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || prefix.Addr().Is6() != v6 {
		return netip.Prefix{}, fmt.Errorf("bad address %q", field)
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, nil // anywhere
	}
	return prefix.Masked(), nil
}

// appName undoes UFW's escaping; "-" stands for none.
func appName(field string) string {
	if field == "-" {
		return ""
	}
	return printable(strings.ReplaceAll(field, "%20", " "))
}

// commentText decodes a comment, which says nothing about packets: one that can't
// be decoded is left out.
func commentText(digits string) string {
	text, err := hex.DecodeString(strings.TrimSpace(digits))
	if err != nil || !utf8.Valid(text) {
		return ""
	}
	return printable(string(text))
}

// printable makes text from a file fit for one line of a terminal.
func printable(text string) string {
	const most = 80 // runes
	runes := []rune(strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, text))
	if len(runes) > most {
		runes = append(runes[:most], '…')
	}
	return string(runes)
}
