docker {
  userns_remap = off
}

site "app.example.no" {
  upstream = "127.0.0.1:${var.port}"
}
