package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"molo/certificate"
	"molo/provision"
)

// metricsDir is where Debian's prometheus-node-exporter looks for the metrics of other
// programs.
const metricsDir = "/var/lib/prometheus/node-exporter"

// writeMetrics renews molo's metrics where a node exporter collects them. The samples
// have no timestamps of their own: the exporter refuses such files.
func (h *Host) writeMetrics(ctx context.Context, r Run, policy string) error {
	return errors.Join(h.WriteState(ctx, policy), h.expose("molo.prom", metrics(r, policy)))
}

// WriteState renews the metrics that change without a run. policy is the digest of the
// policy.
func (h *Host) WriteState(ctx context.Context, policy string) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	return h.expose("molo-state.prom", stateMetrics(memory, policy, time.Now()))
}

// expose renews a file of metrics, where there is a node exporter.
func (h *Host) expose(name, text string) error {
	if _, err := os.Stat(h.path(metricsDir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return replace(h.path(filepath.Join(metricsDir, name)), []byte(text), 0o644, false)
}

// exposition is in the text format of Prometheus.
type exposition struct{ text strings.Builder }

func (out *exposition) gauge(name, help string, samples ...string) {
	fmt.Fprintf(&out.text, "# HELP molo_%s %s\n# TYPE molo_%s gauge\n", name, help, name)
	for _, s := range samples {
		out.text.WriteString("molo_" + name + s + "\n")
	}
}

func stateMetrics(m provision.Memory, policy string, now time.Time) string {
	var out exposition
	out.gauge("paused", "Whether molo is asked to change nothing.", yes(m.Paused.Holds(now, policy)))
	out.gauge("unconfirmed", "Whether the last run is taken back unless somebody confirms it.", yes(m.Unconfirmed != nil))
	return out.text.String()
}

func metrics(r Run, policy string) string {
	var out exposition
	gauge := out.gauge
	gauge("info", "The version of molo and the digest of its policy.", labelled(1, "version", r.Molo, "policy", policy))
	gauge("last_run_timestamp_seconds", "When the last run ended.", seconds(r.Ended))
	gauge("last_success_timestamp_seconds", "When a run last ended with the host as the policy wants it.", seconds(r.LastSuccess))
	gauge("run_duration_seconds", "How long the last run took.", " "+strconv.FormatFloat(r.Ended.Sub(r.Began).Seconds(), 'f', 3, 64))
	gauge("part_status", "How each part of the host stands: 1 for its status.", partStatus(r)...)
	gauge("changes", "What the last run changed, by cause.", changesByCause(r)...)
	if len(r.Certificates) > 0 {
		gauge("certificate_expiry_timestamp_seconds", "When the certificate of a site expires; 0 where there is none.", certificates(r, func(s certificate.Status) time.Time { return s.NotAfter })...)
		gauge("certificate_renewal_timestamp_seconds", "When the next one will be ordered; 0 where that is due, or not for molo to do.", certificates(r, func(s certificate.Status) time.Time { return s.Renew })...)
		gauge("certificate_failed_orders", "How many orders have failed in a row.", failedOrders(r)...)
	}
	gauge("pending_restart", "Whether a restart of the unit waits.", pendingRestarts(r)...)
	return out.text.String()
}

func certificates(r Run, when func(certificate.Status) time.Time) []string {
	var all []string
	for _, s := range r.Certificates {
		at := 0
		if t := when(s); !t.IsZero() {
			at = int(t.Unix())
		}
		all = append(all, labelled(at, "site", s.Site))
	}
	return all
}

func failedOrders(r Run) []string {
	var all []string
	for _, s := range r.Certificates {
		all = append(all, labelled(s.Failures, "site", s.Site))
	}
	return all
}

func partStatus(r Run) []string {
	var all []string
	for _, o := range r.Parts {
		for _, s := range []provision.Status{provision.OK, provision.Changed, provision.Unknown, provision.Failed} {
			all = append(all, labelled(number(o.Status == s), "part", o.Part, "status", string(s)))
		}
	}
	return all
}

func changesByCause(r Run) []string {
	var all []string
	for _, o := range r.Parts {
		counts := map[provision.Cause]int{}
		for _, c := range o.Changes {
			counts[c.Cause]++
		}
		for _, cause := range slices.Sorted(maps.Keys(counts)) {
			all = append(all, labelled(counts[cause], "part", o.Part, "cause", string(cause)))
		}
	}
	return all
}

func pendingRestarts(r Run) []string {
	var all []string
	for _, o := range r.Parts {
		for _, a := range o.Waiting {
			all = append(all, labelled(1, "unit", a.Unit))
		}
	}
	return all
}

// labelled writes labels and a value.
func labelled(value int, pairs ...string) string {
	var labels []string
	for pair := range slices.Chunk(pairs, 2) {
		// Go's quoting of printable text is that of the format; nothing else gets here.
		labels = append(labels, pair[0]+"="+strconv.QuoteToASCII(pair[1]))
	}
	return fmt.Sprintf("{%s} %d", strings.Join(labels, ","), value)
}

func seconds(t time.Time) string {
	if t.IsZero() {
		return " 0"
	}
	return fmt.Sprintf(" %d", t.Unix())
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func yes(b bool) string { return fmt.Sprintf(" %d", number(b)) }
