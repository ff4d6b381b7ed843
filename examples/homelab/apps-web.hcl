# One container for each web site of var.sites: app.site["blog"] and so on.

app "site" {
  for_each = var.sites

  host   = host.pve
  node   = each.value.node
  image  = "docker.io/library/nginx:1.27"
  cores  = 1
  memory = each.value.memory
  tags   = ["web", each.key]

  disk { size = "4GiB" }

  volume "content" {
    path = "/usr/share/nginx/html"
    size = "5GiB"
  }

  network { ip = "dhcp" }

  port "web" {
    number = each.value.port
    http   = true
  }

  env = {
    NGINX_PORT = each.value.port
    DB_HOST    = app.database.ip
    CACHE_HOST = app.cache.ip
  }
}
