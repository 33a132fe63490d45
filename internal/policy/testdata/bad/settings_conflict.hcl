docker {
  settings = {
    "icc"                  = true
    "log-opts"             = { "max-size" = "1g" }
    "ip"                   = "0.0.0.0"
    "default-network-opts" = { bridge = { "com.docker.network.bridge.host_binding_ipv4" = "0.0.0.0" } }
    "hosts"                = ["tcp://0.0.0.0:2375"]
    "containerd"           = "/run/containerd/containerd.sock"
  }
}
