fleet {
  pulls = true
}
