site "unknown.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = "defaultsrc 'self'"
  }
}

site "twice.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = "default-src 'self'; default-src *"
  }
}

site "quotes.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = "default-src self"
  }
}

site "open.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = "default-src 'self"
  }
}

site "comma.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = "default-src 'self', 'none'"
  }
}

site "blank.example.no" {
  upstream = "127.0.0.1:8081"
  headers {
    content_security_policy = " "
  }
}
