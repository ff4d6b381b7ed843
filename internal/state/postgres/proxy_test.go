package postgres_test

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state/postgres"
)

// network is what stands between a store and its server, and can fail.
type network struct {
	address  string
	server   string
	refuse   atomic.Int64       // so many connections are ended at once
	upload   atomic.Int64       // after so many bytes from the client the line is cut; 0 is never
	mute     atomic.Bool        // the next answer of the server is lost, and the line cut
	frozen   atomic.Bool        // nothing passes, and nothing ends
	fakePIDs atomic.Bool        // as poolers do
	holds    atomic.Bool        // whether there is somebody to receive from held
	held     chan chan struct{} // gets one for each text of the client, which waits until that is closed

	mu    sync.Mutex
	lines []net.Conn
}

// through puts a network before the server of a configuration.
func through(t *testing.T, c postgres.Config) (*network, postgres.Config) {
	t.Helper()
	n := &network{server: shared.Start(t).Address, held: make(chan chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n.address = listener.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { n.serve(&wg, listener) })
	t.Cleanup(func() {
		_ = listener.Close() // the test is over
		n.cut()
		wg.Wait()
	})
	c.URL = strings.Replace(c.URL, n.server, n.address, 1)
	return n, c
}

func (n *network) serve(wg *sync.WaitGroup, listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", n.server)
		if err != nil || n.refuse.Add(-1) >= 0 {
			_ = client.Close() // which is the point
			continue
		}
		n.mu.Lock()
		n.lines = append(n.lines, client, server)
		n.mu.Unlock()
		wg.Go(func() { n.pass(client, server, n.up) })
		wg.Go(func() { n.pass(server, client, n.down) })
	}
}

// cut ends all connections. New ones work.
func (n *network) cut() {
	n.frozen.Store(false)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		_ = line.Close() // some are closed
	}
	n.lines = nil
}

// pass hands on what one side says until it ends or the network cuts it.
func (n *network) pass(from, to net.Conn, allow func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		size, err := from.Read(buffer)
		if n.frozen.Load() {
			if err != nil {
				return
			}
			continue
		}
		if !allow(buffer[:size]) {
			return
		}
		if _, failed := to.Write(buffer[:size]); err != nil || failed != nil {
			return
		}
	}
}

// atMessage lets messages of the client pass, and does something while it holds
// the one after so many. It returns what done does, and whether it came so far.
func (n *network) atMessage(so int, done <-chan error, do func()) (reached bool, err error) {
	for ; ; so-- {
		select {
		case err := <-done:
			n.holds.Store(false)
			return reached, err
		case release := <-n.held:
			if so == 0 {
				do()
				reached = true
			}
			close(release)
		}
	}
}

func (n *network) up(text []byte) bool {
	if len(text) > 0 && n.holds.Load() {
		release := make(chan struct{})
		n.held <- release
		<-release
	}
	if n.upload.Load() == 0 {
		return true
	}
	return n.upload.Add(-int64(len(text))) > 0
}

func (n *network) down(text []byte) bool {
	if n.fakePIDs.Load() {
		fakePID(text)
	}
	return !n.mute.Load()
}

// fakePID changes the message that tells the client its process in the server:
// K, the length 12, the process, a secret.
func fakePID(text []byte) {
	if i := strings.Index(string(text), "K\x00\x00\x00\x0c"); i >= 0 && len(text) >= i+13 {
		binary.BigEndian.PutUint32(text[i+5:], 1)
	}
}
