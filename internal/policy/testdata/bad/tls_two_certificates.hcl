site "app.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "/etc/ssl/app.pem"
    acme {}
  }
}
