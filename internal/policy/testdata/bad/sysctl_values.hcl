sysctl {
  settings = {
    "vm.swappiness"     = 0.5
    "kernel.sysrq"      = true
    "kernel.core_pattern" = "a\nkernel.sysrq = 1"
    "vm.overcommit_memory" = ""
    "net.core.somaxconn" = [4096]
  }
}
