docker {}

firewall {}

site "localhost" {
  upstream = "127.0.0.1:8081"
}
