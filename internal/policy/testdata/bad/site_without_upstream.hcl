site "app.example.no" {
  upstream = null
}
