docker {
  publish_address = "fe80::1%eth0"
}
