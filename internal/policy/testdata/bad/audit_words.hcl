containers {
  non_root             = "yes"
  drop_capabilities    = ["SYS_ADMN"]
  allowed_capabilities = ["CHOWN", "cap_chown"]
  published_on         = "localhost"
  owner_label          = "owner=me"
}

host {
  virtualization = ["lxc", "kmv"]
  kernel         = "6.1"
  regions        = ["no-*"]
  docker_group   = ["Root User"]
}

exempt "Backup" {
  checks  = ["container-privileged", "container-privileged"]
  expires = "2027-02-30"
}

exempt "archive" {
  checks    = ["container-*"]
  container = "web*"
  label     = "a b"
  image     = "web:1, db:1"
  reason    = " "
  expires   = "never"
}
