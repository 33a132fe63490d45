firewall {
  publish "metrics" {
    ports = [9100]
    from  = []
  }
}
