package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// Report tells what the host is doing, for when something went wrong: the end of its console and of its journal, the
// jobs systemd still has and the units that failed.
func (h *Host) Report(ctx context.Context) string {
	var b strings.Builder
	b.WriteString(h.console())
	for _, argv := range [][]string{
		{"systemctl", "list-jobs", "--no-pager"},
		{"systemctl", "list-units", "--failed", "--no-pager"},
		{"journalctl", "-b", "-n", "100", "--no-pager"},
	} {
		res, err := h.Run(ctx, argv...)
		fmt.Fprintf(&b, "--- %s\n%s%s", strings.Join(argv, " "), res.Stdout, res.Stderr)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}

// diagnose is a report for when ctx has ended.
func (h *Host) diagnose() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return h.Report(ctx)
}

// console returns the end of what the host's first process printed.
func (h *Host) console() string {
	var tail tailBuffer
	data, err := os.ReadFile(h.file("console"))
	if err != nil {
		return err.Error()
	}
	tail.Write(data) //nolint:errcheck // a buffer takes everything
	return "--- console\n" + tail.String() + "\n"
}
