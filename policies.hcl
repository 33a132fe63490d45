# What this host must be. Try it without touching anything: molo plan
# Every block, attribute and default: docs/policy.md

# The Docker daemon. An empty block already asks for every safe default; the lines
# below show some of them. Take a # away to change one.
docker {
  # Ports that containers publish without an address are bound to loopback, so that
  # "docker run -p 5432:5432" does not offer the database to the whole internet.
  # publish_address = "127.0.0.1"

  # Containers on the default bridge don't reach each other unasked: a broken one
  # stays alone. Those that belong together share a network of their own.
  # icc = false

  # Programs in a container gain no rights through sudo and its like.
  # no_new_privileges = true

  # Root in a container is nobody on the host. "auto" turns it on where Docker is
  # still empty, because images and volumes of before would be out of sight.
  # userns_remap = "auto"

  # Containers keep running while the daemon restarts for a security update.
  # live_restore = true

  # Logs are rotated, so that no container can fill the disk with its output.
  # log {
  #   driver   = "local"
  #   max_size = "10m"
  #   max_file = 5
  # }

  # Any other key of daemon.json, in Docker's own spelling.
  # settings = {
  #   "max-concurrent-downloads" = 6
  # }
}

# Published ports. Docker opens them in front of UFW; with this block a published
# port is as open as UFW's rules say: "ufw allow 8080" opens it, nothing else does.
firewall {
  published_ports = "ufw"

  # Opens a port for some networks only, whatever UFW says.
  # publish "metrics" {
  #   ports = [9100]
  #   from  = ["192.0.2.0/24"]
  # }
}

# A name that nginx serves. It passes requests on to one container and puts
# security headers on every answer.
site "app.example.no" {
  # Loopback, so that nobody can ask the container past nginx:
  # docker run -p 127.0.0.1:8081:80 …
  upstream = "127.0.0.1:8081"

  # Over TLS, with a certificate from Let's Encrypt that molo orders and renews: the name
  # has to lead to this host, and ports 80 and 443 have to be open (ufw allow 80,443/tcp).
  # The attributes certificate and key, in place of acme, name files of your own.
  # tls {
  #   acme {
  #     email = "ops@example.no"
  #   }
  # }

  # The largest upload.
  # max_body = "10m"

  # headers {
  #   # Where pages may load scripts and images from. Until you say it, browsers only
  #   # report what the strict default would have stopped.
  #   content_security_policy = "default-src 'self'"
  # }
}

# nginx as a whole.
# nginx {
#   # What was asked, in lines of JSON, without queries and without saying who exactly asked.
#   log {
#     retention = "30d"
#   }
#
#   # systemd keeps nginx to what a web server needs, from its next start on.
#   confined = true
# }

# What molo audit asks of running containers. An empty block already asks for every
# safe default; without the block they are only recommended.
# containers {
#   # Writes go to volumes and to --tmpfs.
#   read_only = true
#
#   # Nothing is given back of the capabilities that are dropped, but for these.
#   allowed_capabilities = ["NET_BIND_SERVICE", "CHOWN"]
#
#   # Somebody can be asked about each container.
#   owner_label = "no.example.owner"
# }

# What molo audit asks of the machine itself.
# host {
#   kernel  = ">= 6.1"
#   regions = ["no-osl"]
# }

# What is accepted for a while. The audit shows it, and it fails again after that day.
# exempt "backup" {
#   checks    = ["container-runtime-socket"]
#   container = "backup"
#   reason    = "reads labels until it gets a proxy"
#   expires   = "2027-06-30"
# }
