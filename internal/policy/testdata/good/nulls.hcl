# null is the same as not writing the attribute.
docker {
  icc             = null
  publish_address = null
  settings        = null
  log {
    driver   = "journald"
    max_size = null
  }
}

firewall {
  published_ports = null
  publish "metrics" {
    ports = [9100]
    from  = null
  }
}
