site "app.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy    = "default-src 'self' $host"
    permissions_policy         = "camera=(\"https://example.no\")"
    referrer_policy            = "no-referrer\nSet-Cookie: a=b"
    cross_origin_opener_policy = "same-origin\u202e"
  }
}
