package provision

import (
	"fmt"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/internal/subid"
)

// remap is what is decided about userns-remap. Turning it on or off gives dockerd another
// data root, where the images, containers and volumes of before are out of sight.
type remap struct {
	value   *string // for daemon.json; nil: leave it alone
	moves   bool    // containers, images or volumes go out of sight
	refused string  // why what the policy asks for is not done
	notes   []Note
}

func decideRemap(p *policy.Docker, d facts.Docker) remap {
	from := From(p.UsernsRemap.Range)
	current, want := configured(d, "userns-remap"), p.UsernsRemap.V
	inUse := len(d.Containers) > 0 || d.Images > 0 || d.Volumes > 0 || d.DataOnDisk
	switch {
	case want == "off":
		want = ""
	case want == "auto" && current != "":
		want = current
	case want == "auto" && d.Blind:
		return remap{notes: []Note{{"userns-remap can't be decided on: it depends on what containers there are", from.String()}}}
	case want == "auto" && inUse && !p.UsernsMigration.V:
		return remap{notes: []Note{{"userns-remap stays off: " + inventory(d) + " would vanish from Docker's view", from.String()}}}
	case want == "auto":
		want = "default"
	}
	if want == current || !inUse {
		return remap{value: &want, notes: breaks(want, d, from)}
	}
	if !p.UsernsMigration.V {
		return remap{refused: fmt.Sprintf("%s: userns_remap = %q is not done: %s would vanish from Docker's view\n"+
			"hint: userns_migration = true stops the containers and does it; they are back once userns_remap is what it was, and molo volumes brings data along",
			from, p.UsernsRemap.V, inventory(d))}
	}
	gone := Note{fmt.Sprintf("out of Docker's view afterwards, until userns_remap is what it was: %s (molo volumes brings data along)", inventory(d)), From(p.UsernsMigration.Range).String()}
	return remap{value: &want, moves: true, notes: append([]Note{gone}, breaks(want, d, from)...)}
}

// breaks notes the containers that don't start any more with a remapped root.
func breaks(want string, d facts.Docker, from Origin) []Note {
	names := remapBreaks(d)
	if want == "" || len(names) == 0 {
		return nil
	}
	text := fmt.Sprintf("with userns-remap, containers that are privileged or on the host's network or processes need --userns=host to start: %s", someOf(names))
	return []Note{{text, from.String()}}
}

// inventory names what a new data root hides.
func inventory(d facts.Docker) string {
	if len(d.Containers)+d.Images+d.Volumes == 0 {
		return "what is on disk"
	}
	containers := count(len(d.Containers), "container")
	if names := namesWhere(d.Containers, func(facts.Container) bool { return true }); len(names) > 0 {
		containers += " (" + someOf(names) + ")"
	}
	volumes := count(d.Volumes, "volume")
	if len(d.VolumeNames) > 0 {
		volumes += " (" + someOf(d.VolumeNames) + ")"
	}
	return strings.Join([]string{containers, count(d.Images, "image")}, ", ") + " and " + volumes
}

// mapIDs asks for the ids that containers get with userns-remap = "default", so that they
// are there before dockerd is. It would choose them itself when it first starts.
func (part *Part) mapIDs(p *policy.Docker, d facts.Docker) error {
	remap := decideRemap(p, d)
	if remap.value == nil || *remap.value != "default" {
		return nil
	}
	first, ok := subid.ParseFiles(d.SubIDs.UIDs, d.SubIDs.GIDs, d.SubIDs.Users, d.SubIDs.Groups).Free()
	if !ok {
		return fmt.Errorf("%s: no %d ids are left for containers in %s and %s\nhint: take out ranges that nobody uses", From(p.UsernsRemap.Range), subid.Count, subid.UIDFile, subid.GIDFile)
	}
	for _, file := range []string{subid.UIDFile, subid.GIDFile} {
		ids := resource.SubIDs{File: file, User: subid.DefaultUser, First: first, Count: subid.Count}
		part.Want = append(part.Want, Wanted{Resource: ids, From: From(p.UsernsRemap.Range), Keep: true})
	}
	return nil
}
