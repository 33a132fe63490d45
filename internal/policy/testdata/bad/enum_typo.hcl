docker {
  restart = "manuel"
  log {
    driver = "jsonfile"
  }
}

firewall {
  published_ports = "open"
}
