package policy

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Nginx is the block nginx: what holds for nginx as a whole. The zero value confines
// nothing and anonymises clients.
type Nginx struct {
	Range    hcl.Range
	Confined Value[bool] // systemd keeps nginx to what a web server needs
	Log      NginxLog
}

// NginxLog is the block log of nginx: the log of requests.
type NginxLog struct {
	ClientAddress Value[string] // "anonymous" or "full"
	Retention     Value[time.Duration]
}

// Full reports whether the log holds whole addresses.
func (l NginxLog) Full() bool { return l.ClientAddress.V == "full" }

// nginx makes an Nginx of its section, or of the defaults where there is none.
func (d *decoder) nginx(root *section) Nginx {
	s := d.oneOrDefaults(root, "nginx")
	log := d.oneOrDefaults(s, "log")
	n := Nginx{
		Range: s.header, Confined: get[bool](s, "confined"),
		Log: NginxLog{ClientAddress: get[string](log, "client_address"), Retention: get[time.Duration](log, "retention")},
	}
	if n.Log.Retention.V%(24*time.Hour) != 0 {
		d.diags = append(d.diags, invalid(fault{
			summary: "Invalid time", why: "The log is rotated every day, so its retention is in whole days.", hint: `write a number and d: "30d"`,
		}, n.Log.Retention.Range))
	}
	return n
}
