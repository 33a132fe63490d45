//go:build vm

package lab

import (
	"errors"
	"testing"
	"time"
)

// TestVMOfAReleaseThatNobodyKnows is refused before anything is built.
func TestVMOfAReleaseThatNobodyKnows(t *testing.T) {
	if _, err := NewVM(t.Context(), VMOptions{Release: "potato"}); err == nil {
		t.Error("a machine of potato was made")
	}
}

// TestVMComesAndGoes saves a machine, changes it, and brings it back; then it is switched off.
func TestVMComesAndGoes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v, err := NewVM(ctx, VMOptions{Release: "trixie", Seed: map[string][]byte{"user-data": []byte("#cloud-config\n")}, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(v.PowerOn(ctx), v.Up(ctx), v.Save(ctx, "fresh")); err != nil {
		t.Fatalf("%v\n%s", err, v.Report(ctx))
	}
	if err := v.WriteFile("/root/new/file", []byte("text\x00\xff"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Output(ctx, "sh", "-c", "stat -c %a /root/new/file; wc -c </root/new/file"); got != "640\n6\n" {
		t.Errorf("the file that was written is %q, %v", got, err)
	}
	began := time.Now()
	if err := v.Restore(ctx, "fresh"); err != nil {
		t.Fatal(err)
	}
	t.Logf("restored within %d ms", time.Since(began).Milliseconds())
	if res, err := v.Run(ctx, "cat", "/root/new/file"); err != nil || res.Code != 1 {
		t.Errorf("after the restore the file is still there: %v, %v", res, err)
	}
	if err := v.Restore(ctx, "other"); err == nil {
		t.Error("a machine was restored to what was never saved")
	}
	if err := v.PowerOff(); err != nil {
		t.Error(err)
	}
	if _, err := v.Run(ctx, "true"); !errors.Is(err, errDown) {
		t.Errorf("a command on a machine that is off: %v", err)
	}
}
