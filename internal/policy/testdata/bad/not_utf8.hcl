docker {
  restart = "ÿ"
}
