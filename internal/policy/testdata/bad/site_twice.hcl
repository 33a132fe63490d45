site "app.example.no" {
  upstream = "127.0.0.1:8081"
}

site "App.Example.no" {
  upstream = "127.0.0.1:8082"
  port     = 8080
}
