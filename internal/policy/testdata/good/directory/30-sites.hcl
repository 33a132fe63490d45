site "a.example.no" {
  upstream = "127.0.0.1:8081"
}
