containers {
  drop_capabilities    = ["cap_net_raw", "mknod"]
  allowed_capabilities = ["CHOWN"]
  read_only            = false
  published_on         = "any"
  owner_label          = "com.example/owner"
}

host {
  virtualization = ["kvm", "vmware"]
  kernel         = ">= 6.1.5"
  regions        = ["no-osl", "eu.north_1"]
  docker_group   = ["deploy"]
}

exempt "backup" {
  checks    = ["container-privileged", "container-mounts"]
  container = "Backup_1"
  label     = "no.example.role=backup"
  image     = "registry.example.no:5000/backup@sha256:0123"
  reason    = "needs the raw disk; see ticket #12"
  expires   = "2028-02-29"
}

exempt "disk" {
  checks  = ["host-partition"]
  reason  = "rented as it is"
  expires = "2027-01-31"
}
