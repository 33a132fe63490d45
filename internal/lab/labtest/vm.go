package labtest

import (
	"testing"

	"molo/internal/lab"
)

// VM makes a virtual machine that is switched off, and is closed when the test ends. Where none can run, the test
// fails: whoever has it built asked for it.
func VM(t testing.TB, o lab.VMOptions) *lab.VM {
	t.Helper()
	if err := lab.PreflightVM(); err != nil {
		t.Fatalf("virtual machines cannot run here:\n%v", err)
	}
	if o.Log == nil {
		o.Log = t.Output()
	}
	v, err := lab.NewVM(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			report(t, v)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}
