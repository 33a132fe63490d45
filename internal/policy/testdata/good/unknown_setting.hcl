# A key that later releases of Docker may have is only a warning.
docker {
  settings = {
    "quantum-tunnel" = "on"
  }
}
