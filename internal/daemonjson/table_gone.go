package daemonjson

// goneKeys lists the keys that newer releases refuse to start with, or take and
// ignore.
func goneKeys() []Key {
	return []Key{
		{Name: "allow-nondistributable-artifacts", Type: list(text()), First: Version{17, 6}, Default: "[]", Effect: ByReload, Reload: true, Flags: []string{"allow-nondistributable-artifacts"}, Shared: true, ignored: Version{28, 0}, Instead: "nothing: Docker allows it since 28.0, and ignores the key"},
		{Name: "api-cors-header", Type: text(), First: Version{1, 10}, Last: Version{28, 5}, Default: `""`, Effect: ByRestart, Flags: []string{"api-cors-header"}, Instead: "nothing; a reverse proxy can set CORS headers"},
		{Name: "api-enable-cors", Type: boolean(), First: Version{1, 10}, Last: Version{17, 6}, Default: "false", Effect: ByRestart, Flags: []string{"api-enable-cors"}, Instead: "nothing; a reverse proxy can set CORS headers"},
		{Name: "cluster-advertise", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-advertise"}, Instead: "nothing; overlay networks are swarm's"},
		{Name: "cluster-store", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-store"}, Instead: "nothing; overlay networks are swarm's"},
		{Name: "cluster-store-opts", Type: mapOf(text()), First: Version{1, 10}, Last: Version{23, 0}, Effect: ByRestart, Flags: []string{"cluster-store-opt"}, Instead: "nothing; overlay networks are swarm's"},
		{Name: "deprecated-key-path", Type: text(), First: Version{1, 10}, Effect: ByRestart, ignored: Version{24, 0}, Instead: "nothing: Docker ignores the key since 24.0"},
		{Name: "disable-legacy-registry", Type: boolean(), First: Version{1, 10}, Last: Version{18, 9}, Effect: ByRestart, Flags: []string{"disable-legacy-registry"}, Instead: "nothing; Docker no longer speaks to registries of version 1"},
		{Name: "graph", Type: text(), First: Version{1, 10}, Last: Version{23, 0}, Default: `"/var/lib/docker"`, Effect: NewRoot, Flags: []string{"graph", "g"}, Instead: "data-root"},
		{Name: "oom-score-adjust", Type: whole(), First: Version{1, 13}, Last: Version{25, 0}, Default: "-500", Effect: ByRestart, Flags: []string{"oom-score-adjust"}, Instead: "OOMScoreAdjust= in a drop-in of docker.service"},
	}
}
