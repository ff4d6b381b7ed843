# What everything else rests on: names, the way in, and mail.

app "resolver" {
  host     = host.pve
  vmid     = 2053 # easy to remember; all others get the lowest free one
  template = "alpine-3.22-default"
  cores    = 1
  memory   = "256MiB"
  tags     = ["core"]

  disk { size = "2GiB" }

  network {
    ip      = local.addresses.resolver
    gateway = local.gateway
  }

  # It starts before all others when the node boots.
  startup {
    on_boot  = true
    order    = 1
    up_delay = "10s"
  }

  backup = backup_policy.nightly
}

app "proxy" {
  host  = host.pve
  node  = "pve2"
  image = "docker.io/library/nginx:1.27"
  cores = 2

  memory = "512MiB"
  tags   = ["core", "web"]

  disk { size = "4GiB" }

  volume "config" {
    path = "/etc/nginx/conf.d"
    size = "1GiB"
  }

  network {
    ip       = local.addresses.proxy
    gateway  = local.gateway
    firewall = true
  }

  port "web" {
    number = 80
    http   = true
  }

  dns {
    servers = local.dns_servers
    search  = [var.domain]
  }

  startup {
    on_boot = true
    order   = 5
  }

  depends_on = [app.resolver]
  backup     = backup_policy.nightly
}

app "mail" {
  host     = host.pve
  node     = "pve3"
  template = "debian-13-standard"
  cores    = 2
  memory   = "2GiB"
  swap     = "512MiB"
  timezone = "Europe/Berlin"
  tags     = ["core"]

  # Debian 13's systemd wants this.
  features { nesting = true }

  disk { size = "8GiB" }

  volume "mailboxes" {
    path = "/var/mail"
    size = "50GiB"
  }

  network {
    ip      = local.addresses.mail
    gateway = local.gateway
  }

  dns {
    servers = local.dns_servers
    search  = [var.domain]
  }

  startup {
    on_boot = true
    order   = 20
  }

  # Uncomment this once there is mail in it: neither a destroy nor a replacement
  # gets past it.
  # lifecycle { prevent_destroy = true }

  depends_on = [app.resolver]
}
