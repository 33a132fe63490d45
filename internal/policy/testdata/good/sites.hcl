# Everything that a site can say.
site "app.example.no" {
  backend "127.0.0.1:8081" {}
  backend "172.18.0.2:8080" {
    weight          = 2
    max_fails       = 1
    fail_timeout    = "30s"
    max_connections = 100
  }
  backend "unix:/run/app/app.sock" {
    backup = true
  }
  redirect_from = ["www.example.no"]
  default       = true
  hidden_files  = true
  timeout       = "5m"
  websocket     = true
  buffering     = false
  allow_from    = ["192.0.2.0/24"]
  deny_from     = ["192.0.2.7"]
  cookie_flags  = ["secure", "samesite=strict"]
  trusted_proxies {
    from           = ["198.51.100.1", "2001:db8::/64"]
    proxy_protocol = true
  }
  auth {
    users = "/etc/nginx/app.htpasswd"
  }
  limit {}
  hsts {
    max_age   = "365d"
    scope     = "subdomains"
    ramp_from = "2026-11-24"
  }
  headers {
    content_security_policy             = "default-src 'self'"
    content_security_policy_report_only = "default-src 'none'"
    upstream_wins                       = ["referrer_policy"]
  }

  path "/public/" {
    public = true
    headers {
      x_frame_options = ""
      upstream_wins   = ["content_security_policy"]
    }
  }
  path "/api" {
    upstream = "127.0.0.1:9000"
    protocol = "grpcs"
    upstream_tls {
      name = "api.internal"
      ca   = "/etc/molo/ca.pem"
    }
    websocket    = false
    buffering    = true
    max_body     = "1k"
    limit {
      rate = "1/m"
    }
  }
  path "/old/" {
    redirect        = "https://old.example.no/archive?x=1"
    redirect_status = 307
  }
}

site "old.example.no" {
  redirect = "https://app.example.no"
  trusted_proxies {
    from           = ["198.51.100.1"]
    proxy_protocol = true
  }
}

site "remote.example.no" {
  upstream = "203.0.113.9:443"
  protocol = "https"
  remote   = true
  port     = 8080
  upstream_tls {
    verify = false
  }
}
