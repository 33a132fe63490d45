docker {
  userns_remap = "Auto"
}
