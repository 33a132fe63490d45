docker {
  publish_address = "localhost"
}
