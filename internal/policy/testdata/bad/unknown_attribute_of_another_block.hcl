docker {
  max_size = "10m"
}
