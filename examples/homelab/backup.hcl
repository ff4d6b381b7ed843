# Proxmox runs these by itself, also when this program is not there.

# An app joins a policy from either side: listed here, or with
# backup = backup_policy.nightly in its own block, as resolver and proxy do.
backup_policy "nightly" {
  host     = host.pve
  schedule = "02:30"
  storage  = "backup"
  mode     = "snapshot"
  compress = "zstd"
  apps     = [app.database, app.mail, app.site] # all instances of app.site

  keep {
    daily   = 7
    weekly  = 4
    monthly = 6
  }

  max_age = "26h"
}

backup_policy "lab" {
  host     = host.lab
  schedule = "sun 04:00"
  storage  = "backup"
  mode     = "stop"
  apps     = [app.runner, app.worker]

  keep { last = 2 }
}
