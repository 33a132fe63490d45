package nginx

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxLogLine bounds a line of the log. nginx takes no request line longer than 8 KiB, of
// which JSON makes six times as much at most.
const maxLogLine = 1 << 17

// Request is a line of the log of requests, as log_format in http.conf writes it.
type Request struct {
	Time            *string  `json:"time"`       // ISO 8601, with the host's offset
	RequestID       *string  `json:"request_id"` // 32 hexadecimal digits
	Client          *string  `json:"client"`
	Site            *string  `json:"site"`
	Host            *string  `json:"host"`
	Method          *string  `json:"method"`
	Path            *string  `json:"path"`
	Protocol        *string  `json:"protocol"`
	Status          *string  `json:"status"`
	Bytes           *int64   `json:"bytes"`
	Seconds         *float64 `json:"seconds"`
	Upstream        *string  `json:"upstream"`
	UpstreamStatus  *string  `json:"upstream_status"`
	UpstreamSeconds *string  `json:"upstream_seconds"`
	TLS             *string  `json:"tls"`
	Limit           *string  `json:"limit"`
}

// LogFinding is a line that is not as it should be. It does not repeat what is in it.
type LogFinding struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Rule string `json:"rule"` // "address", "query", "schema", "line"
	Text string `json:"text"`
}

// VerifyLog reads a log of requests and returns how many lines it has and what is wrong
// with them. With full, whole addresses may be in it.
func VerifyLog(name string, log io.Reader, full bool) (lines int, findings []LogFinding, err error) {
	in := bufio.NewReaderSize(log, maxLogLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return lines, findings, nil
		}
		lines++
		found := func(rule, text string) {
			findings = append(findings, LogFinding{File: name, Line: lines, Rule: rule, Text: text})
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			found("line", "the line is longer than any of nginx's")
			if err := skipLine(in); err != nil {
				return lines, findings, nil //nolint:nilerr // the end of the file ends its last line
			}
		case errors.Is(err, io.EOF):
			found("line", "the line has no end")
		case err != nil:
			return lines, findings, fmt.Errorf("reading %s: %w", name, err)
		default:
			verifyLine(line, full, found)
		}
	}
}

// skipLine reads to the end of a line.
func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// verifyLine says what is wrong with a line. nginx passes on bytes that are not UTF-8,
// which clients may send; they are read as U+FFFD.
func verifyLine(line []byte, full bool, found func(rule, text string)) {
	fields, problem := fieldsOf(bytes.ToValidUTF8(line, []byte("\uFFFD")))
	if problem != "" {
		found("schema", problem)
		return
	}
	var r Request
	if err := json.Unmarshal(fields, &r); err != nil {
		found("schema", "a field is not of its type")
		return
	}
	if missing := r.missing(); len(missing) > 0 {
		found("schema", "there is no "+strings.Join(missing, ", "))
		return
	}
	if _, err := time.Parse(time.RFC3339, *r.Time); err != nil {
		found("schema", "time is not one")
	}
	if problem := clientProblem(*r.Client, full); problem != "" {
		found("address", problem)
	}
	if strings.ContainsAny(*r.Path, "?#") {
		found("query", "path goes on after the path, with a query")
	}
}

// fieldsOf returns the line if it is an object with no field but those of Request, each
// once: of two, readers may take either.
func fieldsOf(line []byte) (object []byte, problem string) {
	d := json.NewDecoder(bytes.NewReader(line))
	if !json.Valid(line) {
		return nil, "the line is not JSON"
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, "the line is not an object"
	}
	var seen []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, "the line is not JSON"
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, "the line is not JSON"
		}
		key := fmt.Sprint(name)
		if slices.Contains(seen, key) {
			return nil, "a field is there twice"
		}
		seen = append(seen, key)
		if _, known := (&Request{}).fields()[key]; !known {
			return nil, "a field is there that molo's logs do not have"
		}
	}
	return line, ""
}

// fields says by name which fields are there.
func (r *Request) fields() map[string]bool {
	return map[string]bool{
		"time": r.Time != nil, "request_id": r.RequestID != nil, "client": r.Client != nil, "site": r.Site != nil,
		"host": r.Host != nil, "method": r.Method != nil, "path": r.Path != nil, "protocol": r.Protocol != nil,
		"status": r.Status != nil, "bytes": r.Bytes != nil, "seconds": r.Seconds != nil, "upstream": r.Upstream != nil,
		"upstream_status": r.UpstreamStatus != nil, "upstream_seconds": r.UpstreamSeconds != nil,
		"tls": r.TLS != nil, "limit": r.Limit != nil,
	}
}

func (r *Request) missing() []string {
	var names []string
	for name, there := range r.fields() {
		if !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// clientProblem says what is wrong with how a client is named.
func clientProblem(client string, full bool) string {
	address, err := netip.ParseAddr(client)
	switch {
	case full && (err == nil || client == "unix:"):
		return ""
	case err != nil:
		return "client is no address"
	case address.Is4():
		if b := address.As4(); b[2]|b[3] != 0 {
			return "client is a whole IPv4 address, or more than 16 bits of it"
		}
	case address.Zone() != "" || address.Is4In6():
		return "client is a whole address"
	default:
		if b := address.As16(); slices.ContainsFunc(b[6:], func(x byte) bool { return x != 0 }) {
			return "client is a whole IPv6 address, or more than 48 bits of it"
		}
	}
	return ""
}
