# What this host must be. Nothing of it is done until you say so:
#
#   molo plan                             what would change, and why; changes nothing
#   molo apply                            do it
#   systemctl enable --now molo.target    and keep it so: at boot, every half hour, and
#                                         whenever this file, UFW's rules or Docker change
#
# Every block, attribute and default: policies.hcl(5). A larger example:
# /usr/share/doc/molo/examples/policies.hcl

# The Docker daemon, hardened. An empty block asks for every safe default.
docker {}

# Ports that containers publish are as open as UFW's rules say. Allow what has to be
# reached from outside before you apply this: ufw allow 443/tcp
firewall {}
