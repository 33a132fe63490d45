docker {
  restart = "window"
}
