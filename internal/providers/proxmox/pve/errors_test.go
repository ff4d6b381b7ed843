package pve

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxmox tells what is wrong by words: these are its own.
func TestErrorsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		text                 string
		busy, locked, exists bool
	}{
		{text: "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout", busy: true},
		{text: "unable to create CT 100 - can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout", busy: true},
		{text: "cfs-lock 'storage-nfs' error: got lock request timeout", busy: true},
		{text: "'storage-nfs'-locked command timed out - aborting", busy: true},
		{text: "command 'lxc-stop -n 100' failed: got timeout"},
		{text: "CT is locked (backup)", locked: true},
		{text: "CT 100 already exists on node 'pve1'", exists: true},
		{text: "cfs-lock 'storage-nfs' error: no quorum!"},
	} {
		err := &Error{Status: 500, Message: c.text}
		require.Equal(t, c.busy, IsBusy(err), c.text)
		require.Equal(t, c.locked, IsLocked(err), c.text)
		require.Equal(t, c.exists, IsTaken(err), c.text)
	}
}
