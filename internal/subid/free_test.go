package subid_test

import (
	"testing"

	"molo/internal/subid"
)

func TestFreeIDsAreNobodys(t *testing.T) {
	for _, tt := range []struct {
		name, uids, gids, users string
		want                    uint32
		ok                      bool
	}{
		{"nobody has any", "", "", "", 100000, true},
		{"those of a person come first", "anna:100000:65536\n", "anna:100000:65536\n", "", 165536, true},
		{"only one file has them", "", "anna:100000:65536\n", "", 165536, true},
		{"a gap that is wide enough", "anna:165536:65536\n", "", "", 100000, true},
		{"a gap that is too narrow", "anna:100001:65536\n", "", "", 165537, true},
		{"an account in the way", "", "", "joined:x:150000:150000::/:/bin/sh\n", 150001, true},
		{"all are taken", "anna:100000:4294867295\n", "", "", 4294967295, false},
	} {
		if got, ok := subid.ParseFiles(tt.uids, tt.gids, tt.users, "").Free(); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: got %d, %t, want %d, %t", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}
