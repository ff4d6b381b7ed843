# One place for all addresses, so that no two services share one.

locals {
  gateway = cidrhost(var.subnet, 1)
  prefix  = split("/", var.subnet)[1]

  # The last number of each service's address.
  numbers = {
    resolver   = 53
    proxy      = 10
    database   = 20
    cache      = 21
    metrics    = 30
    dashboards = 31
    mail       = 40
  }

  # "192.168.10.53/24", by the service's name.
  addresses = {
    for name, number in local.numbers : name => "${cidrhost(var.subnet, number)}/${local.prefix}"
  }

  dns_servers = [cidrhost(var.subnet, local.numbers.resolver)]
}
