# Set these with --var, PROXIMITY_VAR_name or a file proximity.vars.hcl.

variable "domain" {
  type        = string
  default     = "home.arpa"
  description = "DNS suffix of the house"

  validation {
    condition     = !endswith(var.domain, ".")
    error_message = "Write the domain without its final dot."
  }
}

variable "subnet" {
  type        = string
  default     = "192.168.10.0/24"
  description = "Addresses of the services"

  validation {
    condition     = can(cidrhost(var.subnet, 60))
    error_message = "The subnet has to be like 192.168.10.0/24, with room for 60 addresses."
  }
}

variable "workers" {
  type        = number
  default     = 2
  description = "How many build workers there are"

  validation {
    condition     = var.workers >= 0 && var.workers <= 8
    error_message = "The lab has room for up to 8 workers."
  }
}

variable "sites" {
  description = "The web sites of the house, by name"

  type = map(object({
    node   = string
    port   = number
    memory = optional(string, "256MiB")
  }))

  default = {
    blog   = { node = "pve1", port = 8081 }
    photos = { node = "pve2", port = 8082, memory = "1GiB" }
    wiki   = { node = "pve3", port = 8083 }
  }
}
