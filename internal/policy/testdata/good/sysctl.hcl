docker {
  audit_rules = "cis"
}

sysctl {
  settings = {
    "vm.swappiness"                      = 10
    "kernel.core_pattern"                = "core.%e"
    "net.ipv4.tcp_rmem"                  = "4096   87380 6291456"
    "net.ipv4.conf.*.log_martians"       = 1
    "net/ipv4/conf/eth0.100/rp_filter"   = 2
    "kernel.yama.ptrace_scope"           = 2
    "kernel.perf_event_paranoid"         = null
    "net.ipv4.conf.*.accept_redirects"   = null
  }
}
