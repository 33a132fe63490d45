site "app.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    x_frame_options = "deny"
    referrer_policy = "never"
  }
}
