docker "main" {
}
