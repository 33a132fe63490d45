firewall {
  publish "metrics" {
    ports = [9100]
  }
  publish "metrics" {
    ports = [9101]
  }
}
