site "anywhere.example.no" {
  upstream = "0.0.0.0:8080"
}

site "name.example.no" {
  upstream = "localhost:8080"
}

site "url.example.no" {
  upstream = "http://127.0.0.1:8080/"
}

site "address.example.no" {
  upstream = "127.0.0.1"
}

site "zero.example.no" {
  upstream = "127.0.0.1:0"
}

site "mapped.example.no" {
  upstream = "[::ffff:127.0.0.1]:8080"
}

site "socket.example.no" {
  upstream = "unix:app.sock"
}
