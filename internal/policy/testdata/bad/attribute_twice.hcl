docker {
  icc = false
  icc = true
}
