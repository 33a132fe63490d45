site "app.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    key                = "/etc/ssl/app.key"
    client_certificate = "optional"
    acme {
      directory_ca = "/etc/molo/root.pem"
    }
  }
}
