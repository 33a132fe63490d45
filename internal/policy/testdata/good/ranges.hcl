docker {
  icc               = true
  no_new_privileges = false
  live_restore      = false
  publish_address   = "::1"
  userns_remap      = "container-user:containers"
  restart           = "manual"
  log {
    driver   = "json-file"
    max_size = "50M"
    max_file = 3
  }
  settings = {
    debug                  = true
    "shutdown-timeout"     = 9007199254740993
    "default-shm-size"     = "128M"
    "cpu-rt-period"        = 1000000
    "registry-mirrors"     = ["https://mirror.example.no"]
    "default-ulimits"      = { nofile = { Name = "nofile", Soft = 64000, Hard = 64000 } }
    "proxies"              = { "no-proxy" = "<local> & \"more\"" }
    "metrics-addr"         = null
  }
}

firewall {
  published_ports = "closed"
  publish "web" {
    ports = [80, 443, "8000-8010"]
  }
  publish "dns" {
    ports    = [53]
    protocol = "udp"
    from     = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "0.0.0.0/0"]
  }
}

site "www.example.no" {
  upstream = "[::1]:8081"
  port     = 8080
  max_body = "2G"
  headers {
    content_security_policy           = "default-src 'self'; img-src 'self' https://img.example.no data:; upgrade-insecure-requests"
    x_frame_options                   = "SAMEORIGIN"
    x_content_type_options            = ""
    referrer_policy                   = "same-origin"
    permissions_policy                = "camera=(self), geolocation=(), fullscreen=*"
    cross_origin_opener_policy        = null
    cross_origin_resource_policy      = "cross-origin"
    cross_origin_embedder_policy      = "credentialless"
    x_permitted_cross_domain_policies = "master-only"
    x_dns_prefetch_control            = "on"
  }
}

site "App.Example.no" {
  upstream = "127.9.0.1:9000"
}
