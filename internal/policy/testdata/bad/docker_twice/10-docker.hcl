docker {
  icc = false
}
