#!/bin/sh
# A whole estate on the embedded simulator: plan, apply, nothing to do, a change
# made by hand, and its repair. Usage: sh examples/demo.sh bin/proximity
set -eu

program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$(dirname "$0")"/homelab/*.hcl "$work"
cd "$work"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() {
	printf '\033[2m$ proximity %s\033[0m\n' "$*"
	"$program" "$@"
}

say "A cluster of three nodes, a single node, and what is to run on them"
run plan
say "Carry it out, as many steps at once as the hosts allow"
run apply --auto-approve
say "The second plan has nothing to do"
run plan --detailed-exitcode
say "Somebody changes a container by hand (here: through the simulator's API)"
run sim request --dir .proximity/sim/pve PUT /nodes/pve1/lxc/2053/config cores=7
say "The plan names the attribute with both values, and exits with 2"
run plan --detailed-exitcode || [ $? -eq 2 ]
say "Put it back, then take everything down; what belongs to others stays"
run apply --auto-approve
run destroy --auto-approve
say "What is left on the cluster"
"$program" sim request --dir .proximity/sim/pve GET /cluster/resources type=vm | grep -o '"name":"[^"]*"'
