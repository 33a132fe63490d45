docker {
  icc = false
