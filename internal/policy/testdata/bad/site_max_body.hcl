site "unlimited.example.no" {
  upstream = "127.0.0.1:8081"
  max_body = "0"
}

site "spelled.example.no" {
  upstream = "127.0.0.1:8081"
  max_body = "10 MB"
}

site "huge.example.no" {
  upstream = "127.0.0.1:8081"
  max_body = "9999999g"
}
