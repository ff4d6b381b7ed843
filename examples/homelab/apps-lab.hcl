# The lab: build workers that differ only by their number, and a place to play.

app "runner" {
  host     = host.lab
  template = "debian-13-standard"
  cores    = 2
  memory   = "1GiB"

  disk { size = "8GiB" }
  network { ip = "dhcp" }

  # Containers run inside of this one.
  features { nesting = true }
}

app "worker" {
  count = var.workers

  host        = host.lab
  template    = "alpine-3.22-default"
  hostname    = "worker-${count.index + 1}"
  memory      = "512MiB"
  description = "Build worker ${count.index + 1} of ${var.workers}"

  disk { size = "4GiB" }
  network { ip = "dhcp" }

  depends_on = [app.runner]
}

app "playground" {
  host     = host.lab
  template = "ubuntu-24.04-standard"
  memory   = "1GiB"

  features { nesting = true }

  # It exists, but is switched off.
  running = false

  disk { size = "8GiB" }
  network { ip = "dhcp" }

  # People change its tags by hand, and may.
  lifecycle { ignore_changes = [tags] }
}
