firewall {
  when_ufw_inactive     = "open"
  trusted_interfaces    = ["wg0", "wg0"]
  allow_from_containers = ["5432", "0/tcp", "5432/tcp", "5432/tcp"]
  extra_bridges         = ["br-+", "a name far too long"]
  inter_network         = "ufv"
  macvlan               = true
  log                   = "yes"
}
