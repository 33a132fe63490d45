package daemonjson

// goneKeys lists the keys that newer releases refuse to start with, or take and
// ignore.
func goneKeys() []Key {
	return []Key{
		{Name: "allow-nondistributable-artifacts", Type: list(text()), First: Version{17, 6}, Default: "[]", Effect: ByReload, Reload: true, Flags: []string{"allow-nondistributable-artifacts"}, Shared: true, ignored: Version{28, 0}, Instead: "take it out: Docker allows that since 28.0, and ignores the key"},
		{Name: "api-cors-header", Type: text(), First: Version{1, 10}, Last: Version{28, 5}, Default: `""`, Effect: ByRestart, Flags: []string{"api-cors-header"}, Instead: "take it out: a reverse proxy can set CORS headers"},
		{Name: "api-enable-cors", Type: boolean(), First: Version{1, 10}, Last: Version{17, 6}, Default: "false", Effect: ByRestart, Flags: []string{"api-enable-cors"}, Instead: "take it out: a reverse proxy can set CORS headers"},
		{Name: "cluster-advertise", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-advertise"}, Instead: "take it out: overlay networks are swarm's"},
		{Name: "cluster-store", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-store"}, Instead: "take it out: overlay networks are swarm's"},
		{Name: "cluster-store-opts", Type: mapOf(text()), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-store-opt"}, Instead: "take it out: overlay networks are swarm's"},
		{Name: "deprecated-key-path", Type: text(), First: Version{1, 10}, Effect: ByRestart, ignored: Version{24, 0}, Instead: "take it out: Docker ignores it since 24.0"},
		{Name: "disable-legacy-registry", Type: boolean(), First: Version{1, 10}, Last: Version{18, 9}, Effect: ByRestart, Flags: []string{"disable-legacy-registry"}, Instead: "take it out: Docker no longer speaks to registries of version 1"},
		{Name: "graph", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Default: `"/var/lib/docker"`, Effect: NewRoot, Flags: []string{"graph", "g"}, Instead: `write "data-root"`},
		{Name: "oom-score-adjust", Type: whole(), First: Version{1, 13}, Last: Version{25, 0}, Default: "-500", Effect: ByRestart, Flags: []string{"oom-score-adjust"}, Instead: "write OOMScoreAdjust= into a drop-in of docker.service"},
	}
}
