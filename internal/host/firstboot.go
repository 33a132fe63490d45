package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FirstBootRecord is where the record of the first boot lies.
const FirstBootRecord = stateDir + "/firstboot.json"

// FirstBootVersion is the version of the format of FirstBoot.
const FirstBootVersion = 1

// FirstBoot is the record of how a host was set up. It stays when the records of runs
// have gone.
type FirstBoot struct {
	Version   int    `json:"version"`
	Converged bool   `json:"converged"`          // the host matched its policy
	Kept      bool   `json:"kept"`               // molo runs by itself from then on
	Docker    string `json:"docker,omitempty"`   // the engine's version; empty: not installed yet
	Boot      string `json:"boot"`               // the kernel's name for the boot
	Instance  string `json:"instance,omitempty"` // cloud-init's name for the host
	Run       Run    `json:"run"`
}

// RecordFirstBoot keeps the record, with the names of the boot and of the host filled in.
func (h *Host) RecordFirstBoot(f FirstBoot) error {
	f.Version, f.Boot = FirstBootVersion, bootID()
	instance, err := os.ReadFile(h.path("/var/lib/cloud/data/instance-id"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.Instance = strings.TrimSpace(string(instance))
	return h.writeJSON(h.path(filepath.Clean(FirstBootRecord)), f)
}
