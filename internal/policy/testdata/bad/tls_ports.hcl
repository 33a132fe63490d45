site "a.example.no" {
  upstream = "127.0.0.1:8443"
  tls {
    port = 80
  }
}

site "b.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    port = 8443
  }
}
