docker {
  icc          = !null
  userns_remap = [][0]
  log {
    max_file = 1 / 0
  }
}
