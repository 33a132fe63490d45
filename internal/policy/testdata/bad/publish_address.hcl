docker {
  publish_address = "127.0.0.1:80"
}
