docker {
  log {
    driver   = "journald"
    max_size = "10m"
    max_file = 3
  }
}
