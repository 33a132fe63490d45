package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
)

// keepingUnit is what has molo run by itself: at boot, from time to time, after changes.
const keepingUnit = "molo.target"

// keepingUnits lists the unit and what belongs to it, the unit itself first: it starts
// others again that stop.
func keepingUnits() []string {
	return []string{keepingUnit, "molo.timer", "molo.path", "molo-watch.path", "molo-docker.service", "molo-firewall.service"}
}

// TurnOn has systemd run molo by itself, from now on and from every boot on. It waits for
// none of it: this may be part of cloud-init, and what systemd starts may have to wait for
// cloud-init.
func (h *Host) TurnOn(ctx context.Context) error {
	if h.offline() {
		return errors.New("these are the files of an image: systemctl --root turns molo.target on there")
	}
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("turning %s on: %w", keepingUnit, err)
	}
	defer conn.Close()
	if _, _, err := conn.EnableUnitFilesContext(ctx, []string{keepingUnit}, false, false); err != nil {
		return fmt.Errorf("turning %s on: %w", keepingUnit, err)
	}
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("turning %s on: %w", keepingUnit, err)
	}
	if _, err := conn.StartUnitContext(ctx, keepingUnit, "replace", nil); err != nil {
		return fmt.Errorf("turning %s on: %w", keepingUnit, err)
	}
	return nil
}

// TurnedOn reports whether molo runs by itself.
func (h *Host) TurnedOn(ctx context.Context) (bool, error) {
	if h.offline() {
		return false, nil
	}
	unit, err := h.unit(ctx, keepingUnit)
	return unit.Active == "active", err
}

// TurnOff ends that, and reports whether there was anything to end. A run that is under
// way goes on.
func (h *Host) TurnOff(ctx context.Context) (bool, error) {
	if _, err := os.Stat("/run/systemd/system"); h.offline() || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return false, fmt.Errorf("turning %s off: %w", keepingUnit, err)
	}
	defer conn.Close()
	was := false
	for _, name := range keepingUnits() {
		ran, err := stopped(ctx, conn, name)
		if err != nil {
			return was, fmt.Errorf("stopping %s: %w", name, err)
		}
		was = was || ran
	}
	changes, err := conn.DisableUnitFilesContext(ctx, keepingUnits(), false)
	if err != nil && !strings.Contains(err.Error(), "does not exist") {
		return was, fmt.Errorf("turning %s off: %w", keepingUnit, err)
	}
	if len(changes) == 0 {
		return was, nil
	}
	return true, conn.ReloadContext(ctx)
}

// stopped stops a unit, waits until it has, and reports whether it ran.
func stopped(ctx context.Context, conn *dbus.Conn, name string) (bool, error) {
	state, err := conn.GetUnitPropertyContext(ctx, name, "ActiveState")
	if err != nil || state.Value.Value() == "inactive" || state.Value.Value() == "failed" {
		return false, err
	}
	done := make(chan string, 1)
	if _, err := conn.StopUnitContext(ctx, name, "replace", done); err != nil {
		if strings.Contains(err.Error(), "not loaded") {
			return false, nil
		}
		return false, err
	}
	select {
	case <-done:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
