docker {
  window = "Sun 03:00-05:00"
}
