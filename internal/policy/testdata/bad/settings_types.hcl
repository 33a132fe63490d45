docker {
  settings = {
    "debug"                 = "true"
    "mtu"                   = "1400"
    "shutdown-timeout"      = 1.5
    "dns"                   = "192.0.2.53"
    "labels"                = ["rack=1", 2]
    "features"              = { buildkit = "yes" }
    "default-ulimits"       = { nofile = { Name = "nofile", Hard = "1024", Soft = 512 } }
    "default-address-pools" = [{ base = "10.200.0.0/16", size = "24" }]
    "bip"                   = null
  }
}
