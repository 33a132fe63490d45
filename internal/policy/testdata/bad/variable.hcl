docker {
  userns_remap = off
  restart      = true ? "auto" : fallback
  settings = {
    "dns" = [for server in servers : server]
  }
}

site "app.example.no" {
  upstream = "127.0.0.1:${var.port}"
}
