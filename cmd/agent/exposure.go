package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"molo/firewall"
	"molo/internal/host"
	"molo/provision"
)

// exposureVersion is that of the formats of exposureJSON and answerJSON.
const exposureVersion = 1

// exposureJSON is what exposure --json writes.
type exposureJSON struct {
	Version int `json:"version"`
	*provision.Exposure
	// Effects are what applying the policy would change for published ports.
	Effects []firewall.Effect `json:"effects,omitempty"`
}

// answerJSON is what exposure --from --to --json writes.
type answerJSON struct {
	Version  int                `json:"version"`
	Planned  bool               `json:"planned"`
	Question provision.Question `json:"question"`
	provision.Answer
}

// exposureFlags are those of exposure.
type exposureFlags struct {
	planned  bool
	from, to string
}

const exposureLong = `List every port on which containers or processes of this host take in packets,
who reaches it, and because of which rule: of UFW, of the policy, or a default.

What counts is the rules that are loaded now; with --planned, those that the
policy asks for; without, lines with ">" say what applying it would change. With --from and --to, say what becomes of one connection:

  molo exposure --from 198.51.100.9 --to :8080/tcp
  molo exposure --from 2001:db8::9 --to [2001:db8::1]:53/udp`

func (a *app) exposureCommand() *cobra.Command {
	var flags exposureFlags
	cmd := &cobra.Command{
		Use: "exposure", Short: "Say who reaches which port, and because of which rule; changes nothing", Long: exposureLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.exposure(cmd.Context(), flags) },
	}
	cmd.Flags().BoolVar(&flags.planned, "planned", false, "judge by the policy instead of what is loaded")
	cmd.Flags().StringVar(&flags.from, "from", "", "explain a connection from this `ADDRESS`")
	cmd.Flags().StringVar(&flags.to, "to", "", "to this port: `[ADDRESS]:PORT/PROTOCOL`")
	cmd.MarkFlagsRequiredTogether("from", "to")
	return cmd
}

func (a *app) exposure(ctx context.Context, flags exposureFlags) error {
	h, err := a.host()
	if err != nil {
		return err
	}
	var question provision.Question
	if flags.from != "" {
		if question, err = ask(h, flags); err != nil {
			return err
		}
	}
	view, err := a.view(ctx, h, flags.planned)
	switch {
	case err != nil:
		return err
	case flags.from != "" && a.json:
		return a.writeJSON(answerJSON{exposureVersion, flags.planned, question, view.Explain(question)})
	case flags.from != "":
		return provision.WriteAnswer(a.stdout, question, view.Explain(question))
	}
	var effects []firewall.Effect
	if !flags.planned {
		if effects, err = a.effects(ctx, h); err != nil {
			return err
		}
	}
	if a.json {
		return a.writeJSON(exposureJSON{exposureVersion, view, effects})
	}
	if err := view.WriteText(a.stdout); err != nil {
		return err
	}
	for _, e := range effects {
		if _, err := fmt.Fprintf(a.stdout, "> once the policy is applied: %s\n", e); err != nil {
			return err
		}
	}
	return nil
}

// effects says what applying the policy would change for published ports. Where there is
// no policy yet nothing would.
func (a *app) effects(ctx context.Context, h *host.Host) ([]firewall.Effect, error) {
	if _, err := os.Stat(a.policyPath()); errors.Is(err, fs.ErrNotExist) && a.policy == "" {
		return nil, nil
	}
	p, err := a.load()
	if err != nil {
		return nil, err
	}
	plan, _, err := provision.MakePlan(ctx, h, h, p, provision.Options{Only: []string{provision.PartFirewall}})
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	return plan[0].Effects, nil
}

// view looks at the host. The policy is only read where it counts.
func (a *app) view(ctx context.Context, h *host.Host, planned bool) (*provision.Exposure, error) {
	if !planned {
		return provision.Exposed(ctx, h)
	}
	p, err := a.load()
	if err != nil {
		return nil, err
	}
	return provision.PlannedExposure(ctx, h, p)
}

// ask makes the flags a question. The connection arrives on the link that leads
// back to the sender, and goes to the host's address there unless one is named.
func ask(h *host.Host, flags exposureFlags) (provision.Question, error) {
	from, err := netip.ParseAddr(flags.from)
	if err != nil {
		return provision.Question{}, fmt.Errorf("reading --from: %w", err)
	}
	q := provision.Question{From: from.Unmap()}
	if q.To, q.Protocol, err = parseTo(flags.to); err != nil {
		return q, fmt.Errorf("reading --to: %w", err)
	}
	link, own, err := h.RouteTo(q.From)
	if err != nil {
		return q, err
	}
	if link == "" {
		return q, fmt.Errorf("no route leads back to %s: nothing can come from there", from)
	}
	q.In = link
	if !q.To.Addr().IsValid() {
		q.To = netip.AddrPortFrom(own, q.To.Port())
	}
	if q.To.Addr().Is6() != q.From.Is6() {
		return q, fmt.Errorf("%s and %s are not of the same address family", q.From, q.To.Addr())
	}
	return q, nil
}

// parseTo reads ":8080/tcp", "203.0.113.1:8080/tcp" or "[2001:db8::1]:53/udp".
func parseTo(text string) (netip.AddrPort, string, error) {
	at, protocol, ok := strings.Cut(text, "/")
	if !ok || protocol != "tcp" && protocol != "udp" {
		return netip.AddrPort{}, "", fmt.Errorf("%q does not end in /tcp or /udp", text)
	}
	if !strings.HasPrefix(at, ":") {
		to, err := netip.ParseAddrPort(at)
		return netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), protocol, err
	}
	to, err := netip.ParseAddrPort("0.0.0.0" + at)
	if err == nil && to.Port() == 0 {
		err = errors.New("port 0 stands for none")
	}
	return netip.AddrPortFrom(netip.Addr{}, to.Port()), protocol, err
}
