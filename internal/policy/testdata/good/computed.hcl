# Expressions without names in them are fine.
docker {
  icc     = !true
  restart = 1 < 2 ? "manual" : "auto"
  log {
    max_file = 2 + 3
    max_size = "${10}m"
  }
  settings = {
    "labels" = [for i in [1, 2] : "rack=${i}"]
    "dns"    = true ? ["192.0.2.53"] : []
  }
}

firewall {
  publish "metrics" {
    ports = [for i in [0, 1] : 9100 + i]
  }
}
