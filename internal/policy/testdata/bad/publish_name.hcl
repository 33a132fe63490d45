firewall {
  publish "Metrics; -j ACCEPT" {
    ports    = [9100]
    protocol = "sctp"
  }
}
