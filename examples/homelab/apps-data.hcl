# Databases and what watches over the house.

app "database" {
  host     = host.pve
  template = "debian-13-standard"
  cores    = 4
  memory   = "4GiB"
  swap     = "1GiB"
  tags     = ["data"]

  features { nesting = true }

  # The fast storage: changing this later moves the disk, it does not replace
  # the container.
  disk {
    size    = "16GiB"
    storage = "nvme"
  }

  volume "data" {
    path    = "/var/lib/postgresql"
    size    = "100GiB"
    storage = "nvme"
  }

  # Scratch space needs no backup.
  volume "scratch" {
    path   = "/var/tmp"
    size   = "10GiB"
    backup = false
  }

  network {
    ip      = local.addresses.database
    gateway = local.gateway
  }

  startup {
    on_boot    = true
    order      = 10
    down_delay = "2m"
  }
}

app "cache" {
  host   = host.pve
  image  = "docker.io/library/redis:7.4"
  cores  = 1
  memory = "1GiB"
  tags   = ["data"]

  disk { size = "2GiB" }

  network {
    ip      = local.addresses.cache
    gateway = local.gateway
  }
}

app "metrics" {
  host     = host.pve
  node     = "pve2"
  template = "ubuntu-24.04-standard"
  cores    = 2
  memory   = "2GiB"
  tags     = ["monitoring"]

  features { nesting = true }

  disk { size = "8GiB" }

  volume "series" {
    path = "/var/lib/prometheus"
    size = "40GiB"
  }

  network {
    ip      = local.addresses.metrics
    gateway = local.gateway
  }
}

app "dashboards" {
  host   = host.pve
  node   = "pve2"
  image  = "docker.io/grafana/grafana:11.3.0"
  memory = "512MiB"
  tags   = ["monitoring"]

  disk { size = "4GiB" }

  network {
    ip      = local.addresses.dashboards
    gateway = local.gateway
  }

  port "web" {
    number = 3000
    http   = true
  }

  # A reference: metrics is made first, and its address is filled in.
  env = { GF_DATASOURCE_URL = "http://${app.metrics.ip}:9090" }
}
