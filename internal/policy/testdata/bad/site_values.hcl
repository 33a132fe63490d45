site "app.example.no" {
  upstream     = "127.0.0.1:8081"
  timeout      = "90"
  cookie_flags = ["secure", "samesite=lax", "samesite=none", "http-only"]
  limit {
    rate  = "10r/s"
    burst = -1
  }
  auth {
    users = "app.htpasswd"
    realm = "the \"realm\""
  }
  upstream_tls {
    name = "127.0.0.1"
    ca   = "/etc/ssl/../x.pem"
  }
  hsts {
    max_age   = "30d"
    scope     = "preload"
    ramp_from = "24.11.2026"
  }
  headers {
    upstream_wins = ["x_frame_options", "x_frame_option", "x_frame_options"]
  }
}
