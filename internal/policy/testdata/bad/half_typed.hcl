docker {
  icc =
}

firewall {
  published_ports = "no such value, which must not be complained about yet"
}
