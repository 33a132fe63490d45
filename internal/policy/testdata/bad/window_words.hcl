docker {
  restart = "window"
  window  = "Sunday 3am"
}
