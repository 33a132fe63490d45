package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"molo/internal/facts"
	"molo/internal/host"
	"molo/internal/policy"
	"molo/provision"
)

// probeVersion is that of the format of probeJSON.
const probeVersion = 1

// probeJSON is what probe --json writes.
type probeJSON struct {
	Version  int               `json:"version"`
	OK       bool              `json:"ok"`
	Stranger facts.Stranger    `json:"stranger"`
	Trials   []provision.Trial `json:"trials"`
}

const probeLong = `Send packets to every port that Docker publishes, over IPv4 and IPv6, TCP and
UDP, as a stranger on a link and at an address of its own, and compare what
becomes of them with what the policy and UFW's rules say. Any difference is an
error.

The link, molo-probe, is there for a few seconds. Services see a connection that
is reset at once, or an empty datagram.`

func (a *app) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Short: "Prove with real packets who reaches published ports", Long: probeLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.probe(cmd.Context()) },
	}
}

func (a *app) probe(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	// Nobody may change the rules between the question and the answer.
	unlock, err := h.Lock(strings.Join(os.Args, " "))
	if err != nil {
		return err
	}
	trials, who, err := knock(ctx, h, p)
	if err == nil {
		err = a.printTrials(who, trials)
	}
	return errors.Join(err, unlock())
}

// knock sends a packet to every published port, as a stranger of the moment.
func knock(ctx context.Context, h *host.Host, p *policy.Policy) ([]provision.Trial, facts.Stranger, error) {
	exposure, err := provision.PlannedExposure(ctx, h, p)
	if err != nil {
		return nil, facts.Stranger{}, err
	}
	stranger, err := h.NewStranger(ctx)
	if err != nil {
		return nil, facts.Stranger{}, err
	}
	trials, err := provision.Try(ctx, exposure, stranger)
	return trials, stranger.Who(), errors.Join(err, stranger.Close())
}

func (a *app) printTrials(who facts.Stranger, trials []provision.Trial) (err error) {
	differ := provision.Differences(trials)
	if a.json {
		err = a.writeJSON(probeJSON{probeVersion, differ == 0, who, trials})
	} else {
		err = provision.WriteTrials(a.stdout, who, trials)
	}
	if err == nil && differ > 0 {
		err = reported{fmt.Errorf("%d packets did not do what the policy says", differ)}
	}
	return err
}
