site "zero.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 0
}

site "beyond.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 70000
}
