docker {}
