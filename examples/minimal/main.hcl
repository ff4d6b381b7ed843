# The smallest estate: one simulated node and one container.
# Try it without any Proxmox:  proximity -C examples/minimal apply

host "lab" {
  endpoint = "sim:single"

  defaults {
    node    = "pve"
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
}

app "hello" {
  template = "alpine-3.22-default"
  memory   = "128MiB"

  disk { size = "1GiB" }
  network { ip = "dhcp" }
}

output "hello_id" { value = app.hello.id }
