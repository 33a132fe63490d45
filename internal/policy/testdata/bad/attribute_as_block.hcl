docker {
  settings {
    mtu = 1400
  }
}
