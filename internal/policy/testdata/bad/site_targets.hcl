site "both.example.no" {
  upstream = "127.0.0.1:8081"
  redirect = "https://example.no"
}

site "short-and-long.example.no" {
  upstream = "127.0.0.1:8081"
  backend "127.0.0.1:8082" {}
}

site "none.example.no" {
  protocol = "https"
}

site "twice.example.no" {
  backend "127.0.0.1:8081" {}
  backend "127.0.0.1:8081" {}
}

site "status.example.no" {
  upstream        = "127.0.0.1:8081"
  redirect_status = 301
}

site "see-other.example.no" {
  redirect        = "https://example.no"
  redirect_status = 303
}

site "circle.example.no" {
  redirect = "http://circle.example.no"
}

site "inner-circle.example.no" {
  upstream = "127.0.0.1:8081"
  path "/old/" {
    redirect = "/old/new"
  }
}
