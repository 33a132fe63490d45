# Which Docker is on the host is not known here: an old one may have the key.
docker {
  settings = {
    "graph"          = "/srv/docker"
    "regstry-mirror" = ["https://mirror.example.no"]
  }
}
