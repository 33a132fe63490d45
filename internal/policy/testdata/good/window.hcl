docker {
  restart          = "window"
  window           = "Mon-Fri,Sun 23:30-00:30"
  userns_migration = true
}
