# A house with a cluster of three nodes and a small lab beside it. Everything
# here runs on the embedded simulator: nothing real is touched.
#
#   proximity -C examples/homelab plan
#   proximity -C examples/homelab apply

proximity {
  required_version = ">= 0.1"

  # State is kept beside these files unless said otherwise.
  state "local" {}
}

# The cluster: pve1, pve2 and pve3. For a real one, write its address and a
# token instead: endpoint = "https://pve1.home.arpa:8006", token_id = "…" and
# token_secret = env("PVE_TOKEN").
host "pve" {
  endpoint   = "sim:"
  vmid_range = "2000-2999"

  # What the apps below do not say themselves they get from here.
  defaults {
    node             = "pve1"
    storage          = "local-lvm"
    template_storage = "local"
    bridge           = "vmbr0"
    tags             = ["proximity"]
  }

  limits {
    parallel    = 8
    per_node    = 4
    per_storage = 4
  }
}

# A single node to try things on.
host "lab" {
  endpoint   = "sim:single"
  vmid_range = "3000-3099"

  defaults {
    node    = "pve"
    storage = "local-lvm"
    bridge  = "vmbr0"
    tags    = ["proximity", "lab"]
  }
}
