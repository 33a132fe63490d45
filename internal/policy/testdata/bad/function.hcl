docker {
  restart = env("MOLO_RESTART")
}
