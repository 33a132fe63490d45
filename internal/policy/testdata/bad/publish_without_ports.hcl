firewall {
  publish "metrics" {
    from = ["192.0.2.0/24"]
  }
}
