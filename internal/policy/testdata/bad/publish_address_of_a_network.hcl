docker {
  publish_address = "10.0.0.0/8"
}
