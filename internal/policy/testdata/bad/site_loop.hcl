site "app.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 8080
}

site "api.example.no" {
  upstream = "127.0.0.1:8080"
}
