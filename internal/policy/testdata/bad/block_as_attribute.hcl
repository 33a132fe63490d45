docker {
  log = {
    driver = "local"
  }
}
