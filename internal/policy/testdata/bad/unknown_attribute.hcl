docker {
  userns_remp = "auto"
}
