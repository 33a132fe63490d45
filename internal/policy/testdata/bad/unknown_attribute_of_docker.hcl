docker {
  ip = "127.0.0.1"
}
