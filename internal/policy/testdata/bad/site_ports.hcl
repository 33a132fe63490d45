site "a.example.no" {
  upstream = "127.0.0.1:8081"
  default  = true
}

site "b.example.no" {
  upstream = "127.0.0.1:8082"
  default  = true
}

site "c.example.no" {
  upstream = "127.0.0.1:8083"
  trusted_proxies {
    from           = ["192.0.2.1", "0.0.0.0/0"]
    proxy_protocol = true
  }
}

site "d.example.no" {
  upstream = "127.0.0.1:8084"
  trusted_proxies {
    proxy_protocol = true
  }
}

site "e.example.no" {
  upstream = "127.0.0.1:8084"
  port     = 8085
  tls {
    port        = 8443
    certificate = "/etc/ssl/app.pem"
    key         = "/etc/ssl/app.key"
  }
  trusted_proxies {
    from           = ["192.0.2.0/24"]
    proxy_protocol = true
  }
}

site "f.example.no" {
  upstream = "127.0.0.1:8086"
  port     = 8087
  tls {
    port        = 8443
    certificate = "/etc/ssl/app.pem"
    key         = "/etc/ssl/app.key"
  }
}
