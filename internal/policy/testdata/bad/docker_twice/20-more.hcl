# Two files, one policy: which docker block would hold?
docker {
  icc = true
}
