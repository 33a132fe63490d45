docker {
  icc      = "false"
  restart  = true
  settings = ["debug"]
}

site "app.example.no" {
  upstream = "127.0.0.1:8081"
  port     = "8080"
}
