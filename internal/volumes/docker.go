package volumes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Container is a container of a data root, and what it mounts.
type Container struct {
	Name   string
	Root   string
	Mounts []Mounted
}

// Mounted is what one container mounts: a volume, or a path of the host.
type Mounted struct{ Volume, Source string }

// ParseContainer reads the file config.v2.json that dockerd keeps for a container.
func ParseContainer(data []byte) (Container, error) {
	var config struct {
		Name        string
		MountPoints map[string]struct{ Type, Name, Driver, Source string }
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return Container{}, err
	}
	c := Container{Name: strings.TrimPrefix(config.Name, "/")}
	for _, target := range slices.Sorted(maps.Keys(config.MountPoints)) {
		switch m := config.MountPoints[target]; {
		case m.Name != "" && m.Driver == "local":
			c.Mounts = append(c.Mounts, Mounted{Volume: m.Name})
		case m.Type == "bind" && strings.HasPrefix(m.Source, "/"):
			c.Mounts = append(c.Mounts, Mounted{Source: m.Source})
		}
	}
	return c, nil
}

// ParseOptions reads the file opts.json that dockerd keeps for a volume with options:
// what it mounts over the volume's data, and whether it bounds its size.
func ParseOptions(data []byte) (device string, quota bool, err error) {
	var options struct {
		MountType, MountDevice string
		Quota                  struct{ Size uint64 }
	}
	if err := json.Unmarshal(data, &options); err != nil {
		return "", false, err
	}
	device = options.MountDevice
	if device == "" {
		device = options.MountType
	}
	return device, options.Quota.Size > 0, nil
}

// ParseLabels reads what dockerd's metadata.db has about a volume.
func ParseLabels(data []byte) (map[string]string, error) {
	var meta struct{ Labels map[string]string }
	if err := json.Unmarshal(data, &meta); err != nil {
		return nil, fmt.Errorf("reading the labels: %w", err)
	}
	return meta.Labels, nil
}
