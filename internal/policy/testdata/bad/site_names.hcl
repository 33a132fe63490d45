site "192.0.2.1" {
  upstream = "127.0.0.1:8081"
}

site "[2001:db8::1]" {
  upstream = "127.0.0.1:8081"
}

site "*.example.no" {
  upstream = "127.0.0.1:8081"
}

site "app.example.no." {
  upstream = "127.0.0.1:8081"
}

site "app.example.no:8080" {
  upstream = "127.0.0.1:8081"
}

site "https://app.example.no" {
  upstream = "127.0.0.1:8081"
}

site "blåbær.example.no" {
  upstream = "127.0.0.1:8081"
}

site "-app..example.no" {
  upstream = "127.0.0.1:8081"
}

site "xn--a.example.no" {
  upstream = "127.0.0.1:8081"
}

site "a; return 200 x" {
  upstream = "127.0.0.1:8081"
}

site "" {
  upstream = "127.0.0.1:8081"
}
