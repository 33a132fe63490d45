#!/bin/sh
# Makes a fresh machine a Docker host that was never open: the rules stand before Docker comes.
set -eu
export DEBIAN_FRONTEND=noninteractive
cd /tmp/molo

apt-get update -qq
apt-get install -qq --yes ufw apparmor curl ./molo.deb
install -m 644 policies.hcl /etc/molo/policies.hcl
for port in 22 $(mkdir -p /run/sshd && sshd -T | sed -n 's/^port //p'); do ufw allow "$port/tcp"; done
ufw --force enable
molo apply --wait 10m
# From Debian 13 on the command is a package of its own.
apt-get install -qq --yes docker.io $(apt-cache --quiet=0 show docker-cli 2>/dev/null | sed -n 's/^Package: //p' | head -n 1)
systemctl enable --now molo.target
molo apply --wait 10m
