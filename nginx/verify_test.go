package nginx

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goodLine is a line as nginx writes it.
const goodLine = `{"time":"2026-11-24T10:00:00+00:00","request_id":"0123456789abcdef0123456789abcdef","client":"192.0.0.0",` +
	`"site":"app.example.no","host":"app.example.no","method":"GET","path":"/a","protocol":"HTTP/1.1",` +
	`"status":"200","bytes":12,"seconds":0.003,"upstream":"127.0.0.1:8081","upstream_status":"200","upstream_seconds":"0.003","tls":"TLSv1.3","limit":""}` + "\n"

func TestVerifyLog(t *testing.T) {
	client := func(address string) [2]string { return [2]string{`"192.0.0.0"`, `"` + address + `"`} }
	tests := []struct {
		name    string
		replace [2]string
		full    bool
		want    string // "RULE: TEXT", or "" where all is well
	}{
		{"an IPv4 network is nobody", client("192.0.0.0"), false, ""},
		{"an IPv6 network is nobody", client("2001:db8:1::"), false, ""},
		{"a short IPv6 network is nobody", client("fe80::"), false, ""},
		{"all that is left out is nobody", client("::"), false, ""},
		{"a whole IPv4 address", client("192.0.2.55"), false, "address: client is a whole IPv4 address, or more than 16 bits of it"},
		{"the last octet alone taken away", client("192.0.2.0"), false, "address: client is a whole IPv4 address, or more than 16 bits of it"},
		{"a whole IPv6 address", client("2001:db8:1:2::7"), false, "address: client is a whole IPv6 address, or more than 48 bits of it"},
		{"the network of one household", client("2001:db8:1:2::"), false, "address: client is a whole IPv6 address, or more than 48 bits of it"},
		{"a short IPv6 address", client("::1"), false, "address: client is a whole IPv6 address, or more than 48 bits of it"},
		{"an IPv4 address written as IPv6", client("::ffff:192.0.2.5"), false, "address: client is a whole address"},
		{"an address with a zone", client("fe80::%eth0"), false, "address: client is a whole address"},
		{"what is no address", client("2001:db8:::"), false, "address: client is no address"},
		{"a whole address that the policy allows", client("192.0.2.55"), true, ""},
		{"a socket where whole addresses are allowed", client("unix:"), true, ""},
		{"what is no address, where whole ones are allowed", client("bob"), true, "address: client is no address"},
		{"a query", [2]string{`"/a"`, `"/a?email=bob@example.no"`}, false, "query: path goes on after the path, with a query"},
		{"a question mark that is part of the path", [2]string{`"/a"`, `"/a%3Fb"`}, false, ""},
		{"bytes that are not UTF-8", [2]string{`"/a"`, "\"/l\xff\xfe\""}, false, ""},
		{"a field too many", [2]string{`{"time"`, `{"referer":"https://example.no/?q=bob","time"`}, false, "schema: a field is there that molo's logs do not have"},
		{"a field twice", [2]string{`{"time"`, `{"client":"192.0.2.55","time"`}, false, "schema: a field is there twice"},
		{"a field in other letters", [2]string{`{"time"`, `{"Client":"192.0.2.55","time"`}, false, "schema: a field is there that molo's logs do not have"},
		{"a field too few", [2]string{`"limit":""`, `"tls2":""`}, false, "schema: a field is there that molo's logs do not have"},
		{"two fields too few", [2]string{`,"tls":"TLSv1.3","limit":""`, ""}, false, "schema: there is no limit, tls"},
		{"a field of another type", [2]string{`"bytes":12`, `"bytes":"12"`}, false, "schema: a field is not of its type"},
		{"a time that is none", [2]string{"2026-11-24T10", "yesterday"}, false, "schema: time is not one"},
		{"the line of another format", [2]string{goodLine, "192.0.2.1 - - \"GET / HTTP/1.1\" 200\n"}, false, "schema: the line is not JSON"},
		{"JSON that is no object", [2]string{goodLine, "[\"192.0.2.1\"]\n"}, false, "schema: the line is not an object"},
		{"a line without an end", [2]string{"}\n", "}"}, false, "line: the line has no end"},
		{"an endless line", [2]string{`"/a"`, `"/` + strings.Repeat("a", maxLogLine) + `"`}, false, "line: the line is longer than any of nginx's"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			line := strings.Replace(goodLine, tc.replace[0], tc.replace[1], 1)
			lines, findings, err := VerifyLog("access.log", strings.NewReader(goodLine+line), tc.full)
			if err != nil || lines != 2 {
				t.Fatalf("%d lines, %v", lines, err)
			}
			var got []string
			for _, f := range findings {
				if f.Line != 2 || f.File != "access.log" {
					t.Errorf("found at %s:%d", f.File, f.Line)
				}
				got = append(got, f.Rule+": "+f.Text)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzVerifyLog(f *testing.F) {
	f.Add([]byte(goodLine), false)
	f.Add([]byte("{\"client\":\"192.0.2.55\"}\n\xff"), true)
	f.Fuzz(func(t *testing.T, log []byte, full bool) {
		lines, findings, err := VerifyLog("access.log", bytes.NewReader(log), full)
		if err != nil || len(findings) > 2*lines+lines {
			t.Fatalf("%d lines, %d findings, %v", lines, len(findings), err)
		}
	})
}

func TestOnlyItsOwnLogsAreMolos(t *testing.T) {
	for name, want := range map[string]bool{
		AccessLog: true, AccessLog + "-20261124": true, AccessLog + "-20261124.gz": true, ErrorLog + ".1": true, ErrorLog + ".2.gz": true,
		AccessLog + "-20261124.gz.bak": false, AccessLog + "-mine": false, AccessLog + ".gz": false, LogDir + "/owner.log": false,
		"/var/log/nginx/access.log": false, LogDir + "/../access.log": false, LogDir + "/x/access.log": false, LogDir: false,
	} {
		if got := IsLog(name); got != want {
			t.Errorf("IsLog(%q) = %v", name, got)
		}
	}
}
