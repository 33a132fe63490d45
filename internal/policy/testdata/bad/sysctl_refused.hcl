sysctl {
  settings = {
    "net.ipv4.ip_forward"                      = 0
    "net.ipv4.conf.all.forwarding"             = 1
    "net/ipv6/conf/eth0.100/forwarding"        = 0
    "net.bridge.bridge-nf-call-iptables"       = 0
    "net.ipv4.conf.*.route_localnet"           = 1
    "net.ipv6.conf.all.disable_ipv6"           = 1
    "net.netfilter.nf_conntrack_max"           = 1000
    "user.max_user_namespaces"                 = 0
    "kernel.unprivileged_userns_clone"         = 0
    "kernel.modules_disabled"                  = 1
    "kernel.kexec_load_disabled"               = 1
    "kernel.unprivileged_bpf_disabled"         = 1
    "kernel.yama.ptrace_scope"                 = 3
  }
}
