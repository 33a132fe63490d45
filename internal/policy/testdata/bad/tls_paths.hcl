site "a.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "app.pem"
    key         = "/etc/ssl/../app.key"
    client_ca   = "/etc/ssl/my clients.pem"
  }
}

site "b.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "/"
    key         = "/etc/ssl/"
    client_ca   = "/$host.pem"
  }
}
