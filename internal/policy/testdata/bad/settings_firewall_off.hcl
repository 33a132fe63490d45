docker {
  settings = {
    iptables  = false
    ip6tables = false
  }
}
