docker {
  settings = {
    "max-concurrent-download" = 6
    "Debug"                   = true
    (1 + 1)                   = "two"
    "shutdown-timeout"        = 1e30
    "cluster-store"           = { note = "a line\nand another" }
    "labels"                  = ["a=b", { (true) = 1 }]
  }
}
