docker {
  icc     = "no"
  restart = "never"
  log {
    max_file = 0
  }
}

firewall {
  publish "metrics" {
    ports = [0]
    from  = ["192.0.2.7/24"]
  }
}

site "app.example.no" {
  port = 70000
}

machine {
}
