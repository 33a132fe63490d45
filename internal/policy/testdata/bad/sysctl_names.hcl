sysctl {
  settings = {
    "swappiness"                  = 10
    "vm..swappiness"              = 10
    "net/../../etc/passwd"        = 1
    "vm.*"                        = 1
    "net.ipv4.conf.*.*"           = 1
    "-vm.swappiness"              = 10
    "vm.swap piness"              = 10
    "vm.swappiness"               = 10
    "vm/swappiness"               = 20
    "kernel.kptr_restrikt"        = null
  }
}
