package roff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/roff"
)

func TestAPageSaysWhatWasWritten(t *testing.T) {
	p := roff.New("molo", 8, "Molo's manual", "it's a -breakwater-")
	p.Section("FILES")
	p.Text("A first\nparagraph with `code` in it.\n\n  as it stands\n  .not a request\n\n.nor this")
	p.Part(`"quoted"`)
	p.Item("--json", `a \ and ~`)
	want := `.TH "MOLO" 8 "" "" "Molo\(aqs manual"
.nh
.ad l
.SH "NAME"
molo \- it\(aqs a \-breakwater\-
.SH "FILES"
.PP
A first paragraph with \fBcode\fR in it.
.PP
.RS 4
.nf
as it stands
\&.not a request
.fi
.RE
.PP
\&.nor this
.SS "\(dqquoted\(dq"
.TP
\fB\-\-json\fR
a \e and \(ti
`
	if diff := cmp.Diff(want, string(p.Bytes())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzText holds that no text can give roff an order: every line that begins with a full
// stop or a quote is one of the page's own.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"plain", ".so /etc/shadow", "'br", "a\n.b", "  .code\n  'x", "`.x`", "\\", "\r.x", "``.x"} {
		f.Add(seed)
	}
	own := []string{".TH ", ".nh", ".ad l", ".SH ", ".SS ", ".PP", ".RS 4", ".nf", ".fi", ".RE", ".TP"}
	f.Fuzz(func(t *testing.T, text string) {
		p := roff.New("x", 1, "x", "x")
		p.Text(text)
		p.Item(text, text)
		p.Code(text)
	lines:
		for line := range strings.SplitSeq(string(p.Bytes()), "\n") {
			if !strings.HasPrefix(line, ".") && !strings.HasPrefix(line, "'") {
				continue
			}
			for _, request := range own {
				if line == request || strings.HasSuffix(request, " ") && strings.HasPrefix(line, request) {
					continue lines
				}
			}
			t.Errorf("%q gives the order %q", text, line)
		}
	})
}
