firewal {
  published_ports = "ufw"
}
