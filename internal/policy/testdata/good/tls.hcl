# Everything that holds of itself.
site "a.example.no" {
  upstream = "127.0.0.1:8081"
  tls {}
}

site "b.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "/etc/ssl/b.pem"
  }
}

site "c.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 8080
  tls {
    certificate        = "/etc/ssl/c.pem"
    key                = "/etc/ssl/private/c.key"
    port               = 8443
    http3              = true
    client_ca          = "/etc/molo/clients.pem"
    client_certificate = "optional"
  }
}

site "d.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    acme {
      email        = "ops@example.no"
      directory    = "https://acme.example.no:14000/dir"
      directory_ca = "/etc/molo/root.pem"
      profile      = "shortlived"
      key_type     = "rsa-2048"
      external_account {
        key_id   = "kid_A-1"
        key_file = "/etc/molo/eab.key"
      }
    }
  }
}

site "e.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    acme {
      staging = true
    }
  }
}
