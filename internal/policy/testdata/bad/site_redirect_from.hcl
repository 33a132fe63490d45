site "app.example.no" {
  upstream      = "127.0.0.1:8081"
  redirect_from = ["www.example.no", "other.example.no"]
}

site "other.example.no" {
  upstream      = "127.0.0.1:8082"
  redirect_from = ["www.example.no", "a.example.no", "a.example.no", "192.0.2.1"]
}
