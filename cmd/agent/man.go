package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"molo/internal/host"
	"molo/internal/policy"
	"molo/internal/roff"
)

// manCommand writes the manual pages, for the package. It stands in no list: people read
// them with man(1).
func (a *app) manCommand() *cobra.Command {
	pages := map[string]func(*cobra.Command) []byte{
		"molo.8":         manual,
		"policies.hcl.5": func(*cobra.Command) []byte { return policy.Manual() },
	}
	return &cobra.Command{
		Use: "man PAGE", Short: "Write a page of the manual: molo.8 or policies.hcl.5", Hidden: true,
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"molo.8", "policies.hcl.5"},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := a.stdout.Write(pages[args[0]](cmd.Root()))
			return err
		},
	}
}

// manual returns the page molo(8): what the commands say of themselves.
func manual(root *cobra.Command) []byte {
	page := roff.New("molo", 8, "molo", root.Short)
	page.Section("SYNOPSIS")
	page.Text("`molo` COMMAND [OPTION]...")
	about, codes, _ := strings.Cut(root.Long, "\n\nExit codes:\n")
	page.Section("DESCRIPTION")
	page.Text(about)
	page.Section("COMMANDS")
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			describe(page, c)
		}
	}
	page.Section("OPTIONS OF ALL COMMANDS")
	describeFlags(page, root.PersistentFlags())
	page.Section("EXIT STATUS")
	for line := range strings.Lines(codes) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		page.Item(code, meaning)
	}
	whereabouts(page)
	return page.Bytes()
}

func describe(page *roff.Page, c *cobra.Command) {
	page.Part(strings.TrimSuffix(c.UseLine(), " [flags]"))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	page.Text(text)
	describeFlags(page, c.LocalNonPersistentFlags())
}

func describeFlags(page *roff.Page, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		argument, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		page.Item(strings.TrimSpace(name+" "+argument), usage)
	})
}

// whereabouts says what lies where, and what systemd has to do with it.
func whereabouts(page *roff.Page) {
	page.Section("UNITS")
	page.Text("molo runs by itself once `systemctl enable --now molo.target` was said, or molo firstboot was run.")
	for _, unit := range [][2]string{
		{"molo.target", "All of it. Without it, nothing runs."},
		{"molo-firewall.service", "Loads the firewall's rules at boot, before Docker starts."},
		{"molo.timer", "Starts molo.service 2 minutes after boot and 30 minutes after each run."},
		{"molo-watch.path", "Watches the policy, UFW's rules and Docker's daemon.json; molo.path starts molo.service when any has changed."},
		{"molo-docker.service", "Has molo.service started after each start of Docker."},
		{"molo.service", "One run: `molo apply`."},
	} {
		page.Item(unit[0], unit[1])
	}
	page.Section("FILES")
	for _, file := range [][2]string{
		{defaultPolicy, "The policy; see policies.hcl(5)."},
		{"/var/lib/molo", "What molo remembers: records of runs, backups, what was there before, pauses, runs that wait to be confirmed, certificates. A host matches its policy without it, but a purge can no longer give back what was there."},
		{host.FirstBootRecord, "How the host was set up, if molo firstboot did it."},
		{"/etc/docker/daemon.json", "Docker's configuration, in which molo owns the keys that the policy asks for."},
		{"/etc/nginx/molo", "The sites of the policy; `current` is the generation that is served."},
	} {
		page.Item(file[0], file[1])
	}
	page.Section("SEE ALSO")
	page.Text("policies.hcl(5), ufw(8), dockerd(8), nginx(8), systemctl(1); `/usr/share/doc/molo`")
}
