site "app.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    strict_transport_security = "max-age=63072000"
    x_xss_protection          = "1; mode=block"
  }
}
