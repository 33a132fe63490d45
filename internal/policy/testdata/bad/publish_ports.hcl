firewall {
  publish "zero" {
    ports = [0]
  }
  publish "beyond" {
    ports = [70000, "65000-70000"]
  }
  publish "backwards" {
    ports = ["8010-8000"]
  }
  publish "overlapping" {
    ports = [8005, "8000-8010"]
  }
  publish "quoted" {
    ports = ["8080"]
  }
  publish "words" {
    ports = ["http", 80.5, null]
  }
  publish "none" {
    ports = []
  }
}
