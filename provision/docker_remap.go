package provision

import (
	"cmp"
	"fmt"
	"path"
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
	later   string  // the move waits, with the restart that makes it
	notes   []Note
}

// decideRemap goes by what dockerd runs with, not by what the file says: somebody may have
// changed that since. A value that would hide something stands in the file only while
// molo restarts dockerd: whoever else restarts it, such as an upgrade, would leave
// containers running that no dockerd sees.
func decideRemap(p *policy.Docker, d facts.Docker, waits string) remap {
	from, file := From(p.UsernsRemap.Range), configured(d, "userns-remap")
	current, named := remapInForce(d)
	stays, want := remap{}, p.UsernsRemap.V
	if named && current != file {
		stays.value = &current
	}
	switch {
	case want == "off":
		want = ""
	case want == "auto" && d.Blind:
		return remap{notes: []Note{{"userns-remap can't be decided on: it depends on what containers there are", from.String()}}}
	case want == "auto" && named && current != "":
		want = current
	case want == "auto" && inUse(d) && !p.UsernsMigration.V:
		stays.notes = []Note{{"userns-remap stays off: " + inventory(d) + " would vanish from Docker's view", from.String()}}
		return stays
	case want == "auto":
		want = cmp.Or(file, "default")
	}
	if named && want == current || !inUse(d) {
		return remap{value: &want, notes: breaks(want, d, from)}
	}
	asked := fmt.Sprintf("userns_remap = %q", p.UsernsRemap.V)
	switch {
	case !p.UsernsMigration.V:
		stays.refused = fmt.Sprintf("%s: %s is not done: %s would vanish from Docker's view\n"+
			"hint: userns_migration = true stops the containers and does it; they are back once userns_remap is what it was, and molo volumes brings data along",
			from, asked, inventory(d))
		return stays
	case !d.Running || d.Blind:
		stays.refused = fmt.Sprintf("%s: %s is not done: which containers run, and would have to stop, is not known while dockerd does not answer\nhint: systemctl start docker", from, asked)
		return stays
	case p.Restart.V == "manual":
		stays.refused = fmt.Sprintf("%s: %s is not done: restart = \"manual\" leaves restarts to others, and containers that run meanwhile would go on without a dockerd that sees them\n"+
			"hint: restart = \"auto\" or \"window\" until it is done", from, asked)
		return stays
	}
	gone := Note{fmt.Sprintf("out of Docker's view afterwards, until userns_remap is what it was: %s (molo volumes brings data along)", inventory(d)), From(p.UsernsMigration.Range).String()}
	if waits != "" {
		stays.later = fmt.Sprintf("%s comes with it, and stops %s", asked, count(len(running(d)), "container"))
		stays.notes = []Note{gone}
		return stays
	}
	return remap{value: &want, moves: true, notes: append([]Note{gone}, breaks(want, d, from)...)}
}

// inUse reports whether there is something that another data root would hide. What an
// engine that runs does not know of is out of sight already.
func inUse(d facts.Docker) bool {
	if d.Running && !d.Blind {
		return len(d.Containers) > 0 || d.Images > 0 || d.Volumes > 0
	}
	return d.DataOnDisk
}

// remapInForce is the value of userns-remap that dockerd runs with, or would start with;
// false where it can't be named. A dockerd that runs has named its data root after the
// ids of its containers.
func remapInForce(d facts.Docker) (value string, named bool) {
	file, on := configured(d, "userns-remap"), d.Effective.UsernsRemap
	switch {
	case !d.Running || on == nil:
		return file, true
	case !*on:
		return "", true
	}
	ids := subid.ParseFiles(d.SubIDs.UIDs, d.SubIDs.GIDs, d.SubIDs.Users, d.SubIDs.Groups)
	candidates := []string{file, "default"}
	for _, r := range ids.UID.Ranges {
		candidates = append(candidates, r.Owner)
	}
	for _, c := range candidates {
		if m, err := ids.Mapping(ids.User(c)); c != "" && err == nil && m.Root() == path.Base(d.Root) {
			return c, true
		}
	}
	return "", false
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
func (part *Part) mapIDs(p *policy.Docker, d facts.Docker, remap remap) error {
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
