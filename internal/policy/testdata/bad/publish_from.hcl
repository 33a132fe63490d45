firewall {
  publish "metrics" {
    ports = [9100]
    from  = ["192.0.2.7/24", "example.no", "::ffff:192.0.2.0/120", "fe80::1%eth0", "10.0.0.0/8", "10.0.0.0/8"]
  }
}
