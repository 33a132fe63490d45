package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"molo/firewall"
	"molo/internal/host"
	"molo/provision"
)

// exposureVersion is that of the formats of exposureJSON and answerJSON.
const exposureVersion = 1

// exposureJSON is what exposure --json writes.
type exposureJSON struct {
	Version int  `json:"version"`
	Planned bool `json:"planned"` // judged by the policy, not by what is loaded
	*firewall.View
}

// answerJSON is what exposure --from --to --json writes.
type answerJSON struct {
	Version  int               `json:"version"`
	Planned  bool              `json:"planned"`
	Question firewall.Question `json:"question"`
	firewall.Answer
}

// exposureFlags are those of exposure.
type exposureFlags struct {
	planned  bool
	from, to string
}

const exposureLong = `List every port on which containers or processes of this host take in packets,
who reaches it, and because of which rule: of UFW, of the policy, or a default.

What counts is the rules that are loaded now; with --planned, those that the
policy asks for. With --from and --to, say what becomes of one connection:

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
	var question firewall.Question
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
		_, err = fmt.Fprintln(a.stdout, explained(question, view.Explain(question)))
		return err
	case a.json:
		return a.writeJSON(exposureJSON{exposureVersion, flags.planned, view})
	}
	_, err = fmt.Fprint(a.stdout, viewText(view))
	return err
}

// view looks at the host. The policy is only read where it counts.
func (a *app) view(ctx context.Context, h *host.Host, planned bool) (*firewall.View, error) {
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
func ask(h *host.Host, flags exposureFlags) (firewall.Question, error) {
	from, err := netip.ParseAddr(flags.from)
	if err != nil {
		return firewall.Question{}, fmt.Errorf("reading --from: %w", err)
	}
	q := firewall.Question{From: from.Unmap()}
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

func explained(q firewall.Question, answer firewall.Answer) string {
	text := fmt.Sprintf("%s to %s/%s on %s: %s\n  because of  %s", q.From, q.To, q.Protocol, q.In, answer.Verdict, answer.Why)
	if answer.What != "" {
		text += "\n  reaches     " + answer.What
	}
	if answer.Note != "" {
		text += "\n  note        " + answer.Note
	}
	return text
}

// viewText is a table; findings and notes stand below it.
func viewText(v *firewall.View) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) } //nolint:errcheck // a Builder takes all
	row("PORT", "BEHIND IT", "BOUND TO", "REACHED BY", "BECAUSE OF")
	var notes []string
	for _, group := range alike(v.Exposures) {
		e := group[0]
		port := fmt.Sprintf("%d/%s", e.Port, e.Protocol)
		for i, words := range e.Words() {
			if i == 0 {
				row(port, e.What(), bound(group), words, e.Reach[i].Why)
			} else {
				row("", "", "", words, e.Reach[i].Why)
			}
		}
		if e.Note != "" {
			notes = append(notes, fmt.Sprintf("* %s on %s: %s\n", port, bound(group), e.Note))
		}
	}
	table.Flush() //nolint:errcheck // a Builder takes all
	for _, n := range notes {
		out.WriteString(n)
	}
	for _, f := range v.Findings {
		out.WriteString("! " + f.Where + ": " + f.What)
		if f.Hint != "" {
			out.WriteString(" (" + f.Hint + ")")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// alike puts the addresses of a port together where the same is true of them.
func alike(all []firewall.Exposure) [][]firewall.Exposure {
	var groups [][]firewall.Exposure
	for _, e := range all {
		i := slices.IndexFunc(groups, func(g []firewall.Exposure) bool {
			o := g[0]
			return o.Port == e.Port && o.Protocol == e.Protocol && o.What() == e.What() && o.Note == e.Note && slices.Equal(o.Reach, e.Reach)
		})
		if i < 0 {
			groups = append(groups, []firewall.Exposure{e})
		} else {
			groups[i] = append(groups[i], e)
		}
	}
	return groups
}

func bound(group []firewall.Exposure) string {
	var all []string
	for _, e := range group {
		all = append(all, e.Address.String())
	}
	return strings.Join(all, ", ")
}
