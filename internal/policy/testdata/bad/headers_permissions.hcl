site "spelled.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    permissions_policy = "camera 'none'"
  }
}

site "twice.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    permissions_policy = "camera=(), camera=*"
  }
}
