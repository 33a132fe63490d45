package host

import "testing"

func TestWhetherAuditIsLocked(t *testing.T) {
	for status, want := range map[string]bool{
		"enabled 1\nfailure 1\npid 344\n":            false,
		"enabled 2\nfailure 2\npid 344\n":            true,
		"AUDIT_STATUS: enabled=2\n":                  false,
		"pid 2\nenabled 0\nloginuid_immutable 0 2\n": false,
		"": false,
	} {
		if got := auditLocked(status); got != want {
			t.Errorf("%q: locked %t, want %t", status, got, want)
		}
	}
}
