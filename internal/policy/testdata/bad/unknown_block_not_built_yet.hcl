containers {
  read_only = true
}
