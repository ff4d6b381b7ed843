# Shown after every apply, and by `proximity output`.

output "dns_server" {
  value       = app.resolver.ip
  description = "Set this as the DNS server in your router"
}

output "sites" {
  value       = { for name, site in app.site : "${name}.${var.domain}" => site.url }
  description = "Where the web sites are reached"
}

output "workers" {
  value = app.worker[*].hostname
}

output "dashboards" {
  value = app.dashboards.url
}
