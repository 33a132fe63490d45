site "a.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 8080
  tls {
    acme {
      email     = "Ops <ops@example.no>"
      staging   = true
      directory = "http://acme.example.no/"
      profile   = "short lived"
      key_type  = "ecdsa-p255"
      external_account {
        key_id = "k\"1"
      }
    }
  }
}

site "b.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    acme {
      email     = "ops@example.no?subject=x"
      directory = "https://user:secret@acme.example.no/"
      external_account {
        key_file = "secret"
      }
    }
  }
}
