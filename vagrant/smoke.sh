#!/bin/sh
# Shows inside a machine that molo keeps what it promises there. Ends with an error if it does not.
set -eu
say() { echo "smoke: $*"; }
fails() { say "$*"; exit 1; }

# until_it CHECK LIMIT: runs a line once a second until it succeeds.
until_it() {
	for _ in $(seq "$2"); do sh -c "$1" >/dev/null 2>&1 && return; sleep 1; done
	fails "not within $2 s: $1"
}

docker image inspect smoke:1 >/dev/null 2>&1 ||
	tar -c -C /tmp/molo --mode 755 server | docker import -c 'ENTRYPOINT ["/server","-http",":80"]' - smoke:1 >/dev/null
docker rm -f smoke >/dev/null 2>&1 || true
docker run -d --name smoke --restart always -p 0.0.0.0:8080:80 smoke:1 >/dev/null
until_it "molo plan --detailed-exitcode" 60
say "the host matches its policy"

# Packets of a stranger's, over IPv4 and IPv6: what "exposure" says is what they meet.
molo probe || fails "a published port is not as open as the policy says"
address=$(hostname -I | cut -d' ' -f1)
stranger() { # from a network namespace, by way of the host's FORWARD, as from outside
	ip netns add smoke 2>/dev/null || true
	ip link add smoke0 type veth peer name eth0 netns smoke 2>/dev/null || true
	ip addr replace 192.0.2.1/30 dev smoke0 && ip link set smoke0 up
	ip -n smoke addr replace 192.0.2.2/30 dev eth0 && ip -n smoke link set eth0 up && ip -n smoke route replace default via 192.0.2.1
	ip netns exec smoke curl --silent --output /dev/null --max-time 5 "http://$address:8080/"
}
trap 'ip netns del smoke 2>/dev/null || true' EXIT

if stranger; then fails "port 8080 is open to a stranger, and UFW has no rule for it"; fi
say "port 8080 is shut"
ufw allow 8080/tcp >/dev/null
until_it "molo plan --detailed-exitcode" 60
stranger || fails "port 8080 is shut, and UFW allows it"
say "port 8080 is open after ufw allow 8080/tcp"
ufw delete allow 8080/tcp >/dev/null
until_it "molo plan --detailed-exitcode" 60
if stranger; then fails "port 8080 is still open after its rule has gone"; fi
say "port 8080 is shut again"

systemctl is-active --quiet molo.target || fails "molo does not run by itself"
molo audit --fail-on none >/dev/null
say "all is well"
