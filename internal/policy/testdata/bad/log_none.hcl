docker {
  log {
    driver = "none"
  }
}
