docker {
  settings = {
    "bip"             = "10.9.0.1/24"
    "bip"             = "10.8.0.1/24"
    "default-ulimits" = { nofile = { Name = "nofile", Name = "nproc" } }
  }
}
