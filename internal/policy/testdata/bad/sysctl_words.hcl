docker {
  audit_rules = "all"
}

sysctl {
  setting = {}
}

sysctl {
  settings = ["vm.swappiness"]
}
