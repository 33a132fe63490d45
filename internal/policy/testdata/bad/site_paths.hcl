site "app.example.no" {
  upstream = "127.0.0.1:8081"
  path "/" {}
  path "/api/" {}
  path "/api" {}
  path "/a/../b/" {}
  path "/.git/" {}
  path "~ ^/x" {}
  path "/a/" {
    port = 8080
  }
}
