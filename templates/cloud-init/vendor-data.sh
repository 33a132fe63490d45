#!/bin/sh
# Every host that you hand out is locked down before its customer's own commands run:
# vendor-data for Debian 12 or later.
#
# This is a script and no cloud-config for a reason: cloud-init takes "runcmd" and
# "packages" from the customer's user-data alone where they are in both, so that a
# customer's own commands would switch yours off without a word. Scripts of vendor-data
# run before the customer's, whatever he writes. Only packages that he names in user-data
# come before: a docker.io among them runs as Debian has it until this script is done.
# Policies that he writes to /etc/molo/policies.hcl are kept; else the one of the package
# holds.
#
# apt has to know where the package is: put your repository into the image, or write it to
# /etc/apt/sources.list.d here (docs/install.md).
set -e
export DEBIAN_FRONTEND=noninteractive
tries=0
until apt-get update && apt-get install --yes --option DPkg::Lock::Timeout=300 --option Dpkg::Options::=--force-confold molo ufw; do
	tries=$((tries + 1))
	[ "$tries" -lt 10 ] # else the network is not to come
	sleep 10
done
# Whichever ports sshd listens on.
for port in 22 $(mkdir -p /run/sshd && sshd -T | sed -n 's/^port //p'); do ufw allow "$port/tcp"; done
ufw --force enable
molo firstboot --wait 10m
