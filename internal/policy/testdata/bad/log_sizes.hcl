docker {
  log {
    max_size = "-1"
    max_file = 0
  }
}
