package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/internal/volumes"
)

// volumesVersion is that of the formats of listingJSON and remapJSON.
const volumesVersion = 1

// listingJSON is what volumes --json writes.
type listingJSON struct {
	Version int `json:"version"`
	*volumes.Listing
}

// remapJSON is what volumes remap --json writes.
type remapJSON struct {
	Version int  `json:"version"`
	OK      bool `json:"ok"`
	*volumes.Report
}

// remapFlags are those of volumes remap.
type remapFlags struct{ back, dry bool }

const volumesLong = `List the named volumes of Docker, those in its sight and those that turning
userns-remap on or off has put out of it, and which containers mounted them. Of
containers out of sight, the directories that they mounted are listed too.`

const remapLong = `Bring named volumes, and directories that containers mount, into the user
namespace mapping that dockerd runs with (userns-remap), or with --back out of it.

A volume's data is renamed into the data root that belongs to the mapping, and its
owners become those that containers have there: user u becomes the mapping's first
user + u, groups likewise. A directory keeps its place. What has the right owners
already stays as it is, so a run that was interrupted goes on with the same command,
and a second run changes nothing.

Nothing is copied, and no data is overwritten. Other file systems mounted in a tree
are not entered, symbolic links are not followed. Files that can't be brought along
are listed and left alone, and the command fails.

To turn userns-remap off again, bring the data back before: while dockerd still runs
with it, or after.

  molo volumes remap --dry-run db /srv/uploads
  molo volumes remap db /srv/uploads
  molo volumes remap --back db /srv/uploads`

func (a *app) volumesCommand() *cobra.Command {
	sizes := false
	cmd := &cobra.Command{
		Use: "volumes", Short: "List volumes, also those that userns-remap has put out of sight; changes nothing", Long: volumesLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.volumes(cmd.Context(), sizes) },
	}
	cmd.Flags().BoolVar(&sizes, "sizes", false, "say how much they take on disk, which means to look at every file")
	var flags remapFlags
	remap := &cobra.Command{
		Use: "remap [flags] VOLUME|DIRECTORY...", Short: "Bring volumes and directories into the user namespace mapping, or back", Long: remapLong, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remap(cmd.Context(), volumes.Request{Args: args, Back: flags.back}, flags.dry)
		},
	}
	remap.Flags().BoolVar(&flags.back, "back", false, "out of the mapping instead of into it")
	remap.Flags().BoolVar(&flags.dry, "dry-run", false, "only say what would be done, and count")
	cmd.AddCommand(remap)
	return cmd
}

// volumes lists them. Docker's data is for root only.
func (a *app) volumes(ctx context.Context, sizes bool) error {
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	state, err := h.VolumeState(ctx, nil)
	if err != nil {
		return err
	}
	listing := volumes.List(state)
	if sizes {
		if err := weigh(ctx, h, listing); err != nil {
			return err
		}
	}
	if a.json {
		return a.writeJSON(listingJSON{volumesVersion, listing})
	}
	return listing.WriteText(a.stdout)
}

func weigh(ctx context.Context, h *host.Host, l *volumes.Listing) error {
	for i, v := range l.Volumes {
		survey, err := h.Survey(ctx, volumes.Job{Name: v.Name, Tree: v.Path})
		if err != nil {
			return err
		}
		l.Volumes[i].Bytes = &survey.Tally.Bytes
	}
	return nil
}

// remap takes no lock to find out what there is to do.
func (a *app) remap(ctx context.Context, r volumes.Request, dry bool) error {
	if !dry {
		return a.underLock(ctx, func(h *host.Host) error { return a.remapOn(ctx, h, r, false) })
	}
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	return a.remapOn(ctx, h, r, true)
}

func (a *app) remapOn(ctx context.Context, h *host.Host, r volumes.Request, dry bool) error {
	report, err := volumes.Run(ctx, h, r, dry)
	if err != nil {
		return err
	}
	failed := report.Failed()
	if a.json {
		err = a.writeJSON(remapJSON{volumesVersion, failed == nil, report})
	} else {
		err = report.WriteText(a.stdout)
	}
	if failed != nil {
		return errors.Join(err, reported{failed})
	}
	return err
}
