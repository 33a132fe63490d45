package provision

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"molo/firewall"
	"molo/internal/facts"
)

// Stranger is somebody outside the host who sends packets to it.
type Stranger interface {
	// Who returns the stranger's link and addresses.
	Who() facts.Stranger
	// Knock sends one packet for each knock and says what became of it.
	Knock(context.Context, []facts.Knock) ([]facts.Fate, error)
}

// Trial is one packet that was sent to a published port.
type Trial struct {
	Question
	Want Answer     `json:"want"` // by the rules
	Got  facts.Fate `json:"got"`
	OK   bool       `json:"ok"`
}

// Try sends packets to every published port and compares what becomes of them with
// what the exposure says of that sender.
func Try(ctx context.Context, e *Exposure, s Stranger) ([]Trial, error) {
	var trials []Trial
	for _, q := range e.Knocks(s.Who()) {
		trials = append(trials, Trial{Question: q, Want: e.Explain(q)})
	}
	// On a busy host an answer may come too late to count. A packet that passed and
	// should not have is no such case: once is too often.
	for range 3 {
		if err := knock(ctx, s, trials); err != nil {
			return nil, fmt.Errorf("sending packets to published ports: %w", err)
		}
	}
	return trials, nil
}

// knock sends the packets that have not been sent, or that no answer came to in time.
func knock(ctx context.Context, s Stranger, trials []Trial) error {
	var knocks []facts.Knock
	var open []int
	for i, t := range trials {
		if t.Got == "" || !t.OK && t.Got == facts.Dropped {
			open = append(open, i)
			knocks = append(knocks, facts.Knock{Protocol: t.Protocol, To: t.To, Counted: t.Want.Verdict == firewall.Limit})
		}
	}
	if len(knocks) == 0 {
		return nil
	}
	fates, err := s.Knock(ctx, knocks)
	if err != nil {
		return err
	}
	for n, i := range open {
		trials[i].Got = fates[n]
		trials[i].OK = trials[i].agrees()
	}
	return nil
}

// agrees reports whether a packet did as it should. The kernel sends few ICMP errors
// a second (net.ipv4.icmp_ratelimit), so a datagram that is refused may seem dropped.
func (t Trial) agrees() bool {
	switch t.Want.Verdict {
	case firewall.Allow, firewall.Limit:
		return t.Got == facts.Passed
	case firewall.Reject:
		return t.Got == facts.Refused || t.Protocol == "udp" && t.Got == facts.Dropped
	case firewall.Deny:
		return t.Got == facts.Dropped
	}
	return false
}

// OfMolo returns the trials of ports that molo's own rules decide on. What is sent to the
// host itself is for UFW to decide, which lets everything in for a moment when it reloads.
func OfMolo(trials []Trial) []Trial {
	return slices.DeleteFunc(slices.Clone(trials), func(t Trial) bool { return t.Want.Host })
}

// Differences counts the packets that did not do as they should.
func Differences(trials []Trial) int {
	count := 0
	for _, t := range trials {
		if !t.OK {
			count++
		}
	}
	return count
}

// WriteTrials writes a line for each packet; those that did not do as they should
// begin with "x".
func WriteTrials(w io.Writer, who facts.Stranger, trials []Trial) error {
	var out strings.Builder
	fmt.Fprintf(&out, "a stranger at %s on a link of its own:\n", addresses(who))
	for _, t := range trials {
		mark := " "
		if !t.OK {
			mark = "x"
		}
		fmt.Fprintf(&out, "%s %s/%s, %s: %s", mark, t.To, t.Protocol, t.Want.What, t.Got)
		if !t.OK {
			fmt.Fprintf(&out, ", want %s", t.Want.Verdict)
		}
		fmt.Fprintf(&out, " (%s)\n", t.Want.Why)
	}
	if differ := Differences(trials); differ > 0 {
		fmt.Fprintf(&out, "%d of %d packets did not do what the policy says.\n", differ, len(trials))
	} else {
		fmt.Fprintf(&out, "%d packets did what the policy says.\n", len(trials))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func addresses(who facts.Stranger) string {
	var all []string
	for _, a := range []netip.Addr{who.Address4, who.Address6} {
		if a.IsValid() {
			all = append(all, a.String())
		}
	}
	return strings.Join(all, " and ")
}
