icc = false
