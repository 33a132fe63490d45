package subid

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	bad := func(line int, what string) []Problem { return []Problem{{fmt.Sprintf("/etc/subuid:%d", line), what}} }
	for _, test := range []struct {
		name, text string
		want       []Range
		bad        []Problem
	}{
		{name: "an empty file has no ranges"},
		{"a line is a range", "dockremap:100000:65536\n", []Range{{"dockremap", 100000, 65536, 1}}, nil},
		{"the last line needs no end", "a:1:1", []Range{{"a", 1, 1, 1}}, nil},
		{"an owner may be a number", "1000:100000:65536\n", []Range{{"1000", 100000, 65536, 1}}, nil},
		{"comments, empty lines and spaces around say nothing", "# a:1:1\n\n  a:1:2 \n", []Range{{"a", 1, 2, 3}}, nil},
		{"a line end of another system is a space", "a:1:2\r\n", []Range{{"a", 1, 2, 1}}, nil},
		{"two fields are too few", "a:1\n", nil, bad(1, `"a:1" is not NAME:FIRST:COUNT`)},
		{"four fields are too many", "a:1:2:3\n", nil, bad(1, `"a:1:2:3" is not NAME:FIRST:COUNT`)},
		{"nobody owns nothing", ":1:2\n", nil, bad(1, `":1:2" is not NAME:FIRST:COUNT`)},
		{"a word is no number", "a:one:2\n", nil, bad(1, `"a:one:2" is not NAME:FIRST:COUNT`)},
		{"there are no negative ids", "a:-1:2\n", nil, bad(1, `"a:-1:2" is not NAME:FIRST:COUNT`)},
		{"a range holds at least one id", "a:1:0\n", nil, bad(1, `"a:1:0" is not NAME:FIRST:COUNT`)},
		{"a bad line does not hide a good one", "x\na:1:2\n", []Range{{"a", 1, 2, 2}}, bad(1, `"x" is not NAME:FIRST:COUNT`)},
		{"the last id there is is one less than 32 bits have", "a:4294967294:1\n", []Range{{"a", 4294967294, 1, 1}}, nil},
		{"the number behind it is no id", "a:4294967294:2\n", nil, bad(1, `"a:4294967294:2" goes beyond the last id there is`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := File{Path: UIDFile, Ranges: test.want, Bad: test.bad}
			if diff := cmp.Diff(want, Parse(UIDFile, test.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"dockremap:100000:65536\n", "a:1\n#\n\n 1000:4294967294:1 \r\n", "a:4294967295:4294967295", "::\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := Parse("f", text)
		var again strings.Builder
		for _, r := range file.Ranges {
			if r.Count == 0 || r.Last() < r.First || r.Last() == 1<<32-1 {
				t.Errorf("%+v holds no ids, or what is none", r)
			}
			fmt.Fprintf(&again, "%s:%d:%d\n", r.Owner, r.First, r.Count)
		}
		second := Parse("f", again.String())
		if len(second.Bad) > 0 || len(second.Ranges) != len(file.Ranges) {
			t.Errorf("what was read is not read again: %q gives %+v", again.String(), second)
		}
		files := Files{UID: file, GID: file}
		for _, r := range file.Ranges {
			// Whatever the files say, an id that was moved is not moved a second time.
			m, err := files.Mapping(r.Owner)
			if err != nil {
				continue
			}
			if s, err := Into(m); err == nil {
				id, _ := s.UID.Of(r.First % 70000)
				if twice, verdict := s.UID.Of(id); twice != id || verdict == Shifted {
					t.Errorf("%+v: %d becomes %d, and then %d", m, r.First%70000, id, twice)
				}
			}
		}
	})
}

const (
	passwd = "root:x:0:0:root:/root:/bin/bash\n# none\n+\nalice:x:1000:1000::/home/alice:/bin/sh\ndockremap:x:997:996::/home/dockremap:/bin/false\n"
	ranges = "alice:100000:65536\ndockremap:165536:65536\n"
)

func TestParseAccounts(t *testing.T) {
	want := []Account{{"root", 0, "/root"}, {"alice", 1000, "/home/alice"}, {"dockremap", 997, "/home/dockremap"}}
	if diff := cmp.Diff(want, ParseAccounts(passwd)); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Account{{Name: "docker", ID: 995}}, ParseAccounts("docker:x:995:alice\n")); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestMapping(t *testing.T) {
	for _, test := range []struct {
		name, remap, subuid, subgid string
		root                        string
		uids                        []Segment
		wrong                       string
	}{
		{"default is dockremap", "default", ranges, ranges, "165536.165536", []Segment{{0, 165536, 65536}}, ""},
		{"a group has no say", "alice:docker", ranges, ranges, "100000.100000", []Segment{{0, 100000, 65536}}, ""},
		{"a number names a user too", "1000", ranges, ranges, "100000.100000", []Segment{{0, 100000, 65536}}, ""},
		{"a line may name the user by number", "alice", "1000:100000:65536\n", ranges, "100000.100000", []Segment{{0, 100000, 65536}}, ""},
		{"users and groups may differ", "alice", ranges, "alice:300000:65536", "100000.300000", []Segment{{0, 100000, 65536}}, ""},
		{
			"ranges follow each other in the order of the file", "alice", "alice:300000:1000\nalice:100000:65536\n", ranges,
			"300000.100000", []Segment{{0, 300000, 1000}, {1000, 100000, 65536}}, "",
		},
		{"nobody's range is nobody's", "bob", ranges, ranges, "", nil, "/etc/subuid: there is no range for bob"},
		{"groups need a range too", "alice", ranges, "", "", nil, "/etc/subgid: there is no range for alice"},
		{
			"name and number mean different things to different engines", "alice", "1000:100000:65536\nalice:300000:65536\n", ranges, "", nil,
			"/etc/subuid:2: alice has ranges by name and, in line 1, by number: which count depends on the version of Docker",
		},
		{
			"more ids than there are can't be strung together", "alice", "alice:1:4294967290\nalice:2:4294967290\n", ranges, "", nil,
			"/etc/subuid:2: the ranges of alice are longer than all ids there are",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := ParseFiles(test.subuid, test.subgid, passwd, "")
			m, err := f.Mapping(f.User(test.remap))
			if err != nil {
				if err.Error() != test.wrong {
					t.Errorf("error %q, want %q", err, test.wrong)
				}
				return
			}
			if test.wrong != "" || m.Root() != test.root {
				t.Errorf("root %q, want %q and error %q", m.Root(), test.root, test.wrong)
			}
			if diff := cmp.Diff(test.uids, m.UIDs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMappingIsFoundByTheNameOfItsDataRoot(t *testing.T) {
	for _, test := range []struct{ name, subuid, root, wrong string }{
		{"the one that begins there", ranges, "165536.165536", ""},
		{"by number as well", "997:165536:65536\n", "165536.165536", ""},
		{"a range that is gone leaves the count unknown", ranges, "300000.300000", "no user's ranges in /etc/subuid and /etc/subgid begin at 300000 and 300000: how many ids are mapped can't be known"},
		{"two of one length are as good as one", "alice:1000000:9\nbob:1000000:9\n", "1000000.1000000", ""},
		{"two of two lengths are not", "alice:1000000:9\nbob:1000000:10\n", "1000000.1000000", "the ranges of alice and bob in /etc/subuid and /etc/subgid begin at the same ids"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := ParseFiles(test.subuid, test.subuid, passwd, "").At(test.root)
			if got := fmt.Sprint(err); err != nil && got != test.wrong || err == nil && (test.wrong != "" || m.Root() != test.root) {
				t.Errorf("got %v, %v; want %q, error %q", m, err, test.root, test.wrong)
			}
		})
	}
}

func mapping(segments ...Segment) Mapping { return Mapping{segments, segments} }

func TestShift(t *testing.T) {
	usual, other := mapping(Segment{0, 100000, 65536}), mapping(Segment{0, 200000, 65536})
	parts := mapping(Segment{0, 300000, 1000}, Segment{1000, 100000, 65536})
	long := mapping(Segment{0, 100000, 200000})
	into := func(to Mapping, others ...Mapping) func() (Shift, error) {
		return func() (Shift, error) { return Into(to, others...) }
	}
	back := func(from ...Mapping) func() (Shift, error) {
		return func() (Shift, error) { return Back(from...) }
	}
	for _, test := range []struct {
		name    string
		shift   func() (Shift, error)
		id      uint32
		want    uint32
		verdict Verdict
	}{
		{"root becomes the first id", into(usual), 0, 100000, Shifted},
		{"the last container id becomes the last one", into(usual), 65535, 165535, Shifted},
		{"an id beyond the mapping's size is nobody's", into(usual), 65536, 65536, Foreign},
		{"an id before the mapping is nobody's", into(usual), 99999, 99999, Foreign},
		{"a mapped id stays", into(usual), 100000, 100000, Settled},
		{"the last mapped id stays", into(usual), 165535, 165535, Settled},
		{"an id behind the mapping is nobody's", into(usual), 165536, 165536, Foreign},
		{"an id of another mapping moves", into(usual, other), 200007, 100007, Shifted},
		{"but only of one that is named", into(usual), 200007, 200007, Foreign},
		{"the second range goes on where the first ended", into(parts), 1000, 100000, Shifted},
		{"the first range may be the higher one", into(parts), 999, 300999, Shifted},
		{"back, the first id becomes root", back(usual), 100000, 0, Shifted},
		{"back, a plain id stays", back(usual), 65535, 65535, Settled},
		{"back, the id behind is nobody's", back(usual), 165536, 165536, Foreign},
		{"back, each mapping has its own first id", back(usual, other), 200000, 0, Shifted},
		{"back, the second range goes on", back(parts), 100000, 1000, Shifted},
		{"of a long mapping only the ids below it are plain", into(long), 99999, 199999, Shifted},
		{"of a long mapping an id within it stays", into(long), 100000, 100000, Settled},
		{"back, a long mapping's ids that can't be told from mapped ones stay", back(long), 200000, 200000, Foreign},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := test.shift()
			if err != nil {
				t.Fatal(err)
			}
			for half, m := range map[string]Move{"user": s.UID, "group": s.GID} {
				got, verdict := m.Of(test.id)
				if got != test.want || verdict != test.verdict {
					t.Errorf("%s %d becomes %d (%d), want %d (%d)", half, test.id, got, verdict, test.want, test.verdict)
				}
				if again, verdict := m.Of(got); again != got || verdict == Shifted {
					t.Errorf("%s %d becomes %d when it is moved again", half, got, again)
				}
			}
		})
	}
}

func TestAShiftNeedsIDsThatStandForOneID(t *testing.T) {
	for _, test := range []struct {
		name  string
		make  func() (Shift, error)
		wrong string
	}{
		{"a mapping among the host's own ids", func() (Shift, error) { return Into(mapping(Segment{0, 5000, 10000})) }, "user ids: the mapped ids begin at 5000, and those below 65536 may be the host's own"},
		{"two mappings that overlap", func() (Shift, error) {
			return Into(mapping(Segment{0, 100000, 65536}), mapping(Segment{0, 165535, 65536}))
		}, "user ids: id 165535 is mapped twice"},
		{"groups that overlap", func() (Shift, error) {
			return Back(Mapping{[]Segment{{0, 100000, 9}}, []Segment{{0, 100000, 9}, {9, 100000, 9}}})
		}, "group ids: id 100000 is mapped twice"},
		{"no mapping", func() (Shift, error) { return Back() }, "user ids: no mapping is known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.make(); fmt.Sprint(err) != test.wrong {
				t.Errorf("error %v, want %q", err, test.wrong)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name, remap, root, subuid, subgid, passwd, group string
		want                                             []string
	}{
		{name: "good ranges", remap: "default", subuid: ranges, subgid: ranges, passwd: passwd},
		{name: "those that dockerd runs with", remap: "default", root: "/var/lib/docker/165536.165536", subuid: ranges, subgid: ranges, passwd: passwd},
		{
			name: "other ones than dockerd runs with", remap: "default", root: "/var/lib/docker/100000.100000", subuid: ranges, subgid: ranges, passwd: passwd,
			want: []string{"/etc/subuid: the ids of dockremap are those of 165536.165536 now, and dockerd runs with 100000.100000"},
		},
		{name: "dockerd makes dockremap itself", remap: "default", subuid: "alice:100000:65536", passwd: "alice:x:1000:1000::/:/bin/sh\n"},
		{
			name: "nobody else", remap: "bob", subuid: ranges, subgid: ranges, passwd: passwd,
			want: []string{"/etc/passwd: there is no user bob", "/etc/subuid: there is no range for bob", "/etc/subgid: there is no range for bob"},
		},
		{
			name: "too few ids", remap: "alice", subuid: "alice:100000:65535", subgid: "alice:100000:1000\nalice:200000:64536\n", passwd: passwd,
			want: []string{"/etc/subuid:1: alice has 65535 ids, and containers use up to 65536"},
		},
		{
			name: "somebody else's ids", remap: "alice", subuid: "bob:165535:9\nalice:100000:65536\n", subgid: "alice:100000:65536\n", passwd: passwd,
			want: []string{"/etc/subuid:2: 100000-165535 of alice overlaps 165535-165543 of bob in line 1"},
		},
		{
			name: "ids of one's own, twice", remap: "alice", subuid: "alice:100000:65536\n", subgid: "alice:100000:65536\nalice:100000:1\n", passwd: passwd,
			want: []string{"/etc/subgid:1: 100000-165535 of alice overlaps 100000-100000 of alice in line 2"},
		},
		{
			name: "ids of users and groups of the host", remap: "alice", subuid: "alice:100000:65536\n", subgid: "alice:100000:65536\n",
			passwd: passwd + "carol:x:100000:5::/:/bin/sh\n", group: "dev:x:165535:\nops:x:165536:\n",
			want: []string{
				"/etc/subuid:1: 100000-165535 of alice holds 100000, which is the user carol of the host",
				"/etc/subgid:1: 100000-165535 of alice holds 165535, which is the group dev of the host",
			},
		},
		{
			name: "ids among the host's own", remap: "alice", subuid: "alice:65535:65536\n", subgid: "alice:65536:65536\n", passwd: passwd,
			want: []string{"/etc/subuid:1: alice's ids begin at 65535: those below 65536 may be the host's own"},
		},
		{
			name: "a line that keeps Docker 20.10 from starting", remap: "alice", subuid: "alice:100000:65536\nrubbish\n", subgid: ranges, passwd: passwd,
			want: []string{`/etc/subuid:2: "rubbish" is not NAME:FIRST:COUNT`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, p := range Check(ParseFiles(test.subuid, test.subgid, test.passwd, test.group), test.remap, test.root) {
				got = append(got, p.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
