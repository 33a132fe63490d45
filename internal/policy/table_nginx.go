package policy

import "time"

// nginxRow is the block nginx.
func nginxRow() block {
	return block{
		name: "nginx",
		doc:  "What holds for nginx as a whole. Every default below holds as soon as there is a site, with this block or without.",
		attrs: []attribute{{
			name: "confined", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
			doc: "Whether systemd keeps nginx to what a web server needs: few capabilities and system calls, no new privileges, and no writing outside `/run`, `/srv`, `/tmp` and `/var`. It takes effect when nginx is next started, which molo leaves to you: a restart loses requests. See [logs.md](logs.md#confinement).",
		}},
		blocks: []block{{
			name: "log",
			doc:  "The log of requests to all sites, a line of JSON each. What is in it, and who deletes it: [logs.md](logs.md).",
			attrs: []attribute{
				{
					name: "client_address", kind: "string", fallback: `"anonymous"`, allowed: []string{"anonymous", "full"}, example: `"full"`,
					doc: "How clients are named: `anonymous` keeps the first 16 bits of an IPv4 address and 48 of an IPv6 one, which stand for no person; `full` keeps all, which makes the log personal data.",
				},
				{
					name: "retention", kind: "time", fallback: `"30d"`, example: `"14d"`, read: text(duration(24*time.Hour, 3650*24*time.Hour)),
					doc: "How long the log is kept, in whole days. The error log, in which nginx can't leave out addresses, is kept for 7 days at most.",
				},
			},
		}},
	}
}
