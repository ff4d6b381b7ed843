# A real node. Before the first plan:
#
#   export PVE_ENDPOINT=https://pve.example.net:8006
#   export PVE_TOKEN_ID='proximity@pve!cli'
#   export PVE_TOKEN=…              # the token's secret
#
# The fingerprint pins the certificate; `pvenode cert info` on the node shows
# it. PROXIMITY_HOST_PVE_FINGERPRINT sets it without touching this file.

host "pve" {
  endpoint     = env("PVE_ENDPOINT")
  token_id     = env("PVE_TOKEN_ID")
  token_secret = env("PVE_TOKEN")
  vmid_range   = "8000-8099"

  defaults {
    node             = var.node
    storage          = var.storage
    template_storage = "local"
    bridge           = "vmbr0"
  }

  limits { parallel = 4 }
}

variable "node" {
  type        = string
  default     = "pve"
  description = "The node that new containers run on"
}

variable "storage" {
  type        = string
  default     = "local-lvm"
  description = "Where their disks lie"
}

app "notes" {
  template = "debian-13-standard"
  cores    = 1
  memory   = "512MiB"

  disk { size = "4GiB" }
  network { ip = "dhcp" }
}

output "notes_id" {
  value       = app.notes.id
  description = "The number that Proxmox knows the container by"
}
