package nginx

import (
	"path"
	"regexp"
)

// logName is what logrotate and its compressors make of the names of molo's logs.
var logName = regexp.MustCompile(`^(access|error)\.log([.-][0-9][0-9.-]*(\.gz)?)?$`)

// IsLog reports whether a path is one of molo's logs, or of what rotation made of them.
// Whatever else is in the directory is the owner's.
func IsLog(name string) bool {
	return path.Dir(name) == LogDir && logName.MatchString(path.Base(name))
}

// IsLiveLog reports whether nginx writes into a log: it must not be taken away from
// under it.
func IsLiveLog(name string) bool { return name == AccessLog || name == ErrorLog }

// IsAccessLog reports whether a path is a log of requests, not of errors.
func IsAccessLog(name string) bool { return IsLog(name) && path.Base(name)[0] == 'a' }
