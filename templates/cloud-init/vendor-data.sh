#!/bin/sh
# Every host that you hand out is locked down before its customer's own commands run:
# vendor-data for Debian 12 or later.
#
# This is a script and no cloud-config for a reason: cloud-init takes "runcmd" and
# "packages" from the customer's user-data alone where they are in both, so that a
# customer's own commands would switch yours off without a word. Scripts of vendor-data
# run before the customer's, whatever he writes. Policies that he writes to
# /etc/molo/policies.hcl are kept; else the one of the package holds.
#
# apt has to know where the package is: put your repository into the image, or write it to
# /etc/apt/sources.list.d here (docs/install.md).
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --option Dpkg::Options::=--force-confold molo ufw
ufw allow 22/tcp
ufw --force enable
molo firstboot
