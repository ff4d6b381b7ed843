package httpstore_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

// BenchmarkAppend prints what a line costs beside the network: the document is
// sent with each, ten versions of so many objects in it.
func BenchmarkAppend(b *testing.B) {
	for _, objects := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(objects, " objects"), func(b *testing.B) {
			server := gitlabserver.Start(b)
			store, err := newStore(server)
			require.NoError(b, err)
			_, lock, err := store.Lock(b.Context(), somebody("ann"))
			require.NoError(b, err)
			for serial := range uint64(state.KeptVersions) {
				require.NoError(b, lock.Save(b.Context(), state.Snapshot{Serial: serial + 1, State: estate(objects, serial)}))
			}
			line := append(bytes.Repeat([]byte("0123456789abcdef"), 30), '\n')
			for b.Loop() {
				require.NoError(b, lock.Append(b.Context(), line))
			}
			b.ReportMetric(float64(len(server.Document("home"))), "document-bytes")
			require.NoError(b, lock.Unlock())
		})
	}
}

// estate is a state file of about the size that so many objects have.
func estate(objects int, serial uint64) []byte {
	var text bytes.Buffer
	for i := range objects {
		fmt.Fprintf(&text, `{"address":"app.web%d","host":"pve","id":"%d","nonce":"%x","attrs":{"memory":536870912,"tags":["a"]},"changed":"2026-01-02T03:04:%02dZ"},`,
			i, 2000+i, md5.Sum(fmt.Append(nil, i, serial/3)), i%60)
	}
	return text.Bytes()
}
