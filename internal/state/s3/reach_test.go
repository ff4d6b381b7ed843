package s3_test

import (
	"encoding/pem"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// TestABucketIsAPathOrAHostName by default the former where there is an
// endpoint.
func TestABucketIsAPathOrAHostName(t *testing.T) {
	server, plain := start(t)
	_, held := lock(t, plain)
	require.NoError(t, held.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
	require.NoError(t, held.Unlock())
	yes, no := true, false
	for _, c := range []struct {
		name      string
		pathStyle *bool
		want      string
	}{
		{"not said", nil, server.Host() + ":80"},
		{"a path", &yes, server.Host() + ":80"},
		{"a host name", &no, server.Bucket + "." + server.Host() + ":80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := configOf(server)
			config.Endpoint, config.PathStyle = "http://"+server.Host(), c.pathStyle
			asked := map[string]bool{}
			store, err := s3.Through(config, strings.TrimPrefix(server.Endpoint, "http://"), func(name string) { asked[name] = true })
			require.NoError(t, err)
			require.Equal(t, "state", string(load(t, store).State))
			require.Equal(t, map[string]bool{c.want: true}, asked)
		})
	}
}

// TestACertificateOfOnesOwnIsTrusted puts TLS before the store.
func TestACertificateOfOnesOwnIsTrusted(t *testing.T) {
	server := s3server.Start(t)
	behind, err := url.Parse(server.Endpoint)
	require.NoError(t, err)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // it is signed
	}})
	defer front.Close()
	config := configOf(server)
	config.Endpoint, config.CAFile = front.URL, filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	require.NoError(t, os.WriteFile(config.CAFile, text, 0o600))
	store, err := s3.Impatient(config)
	require.NoError(t, err)
	_, held := lock(t, store)
	require.NoError(t, held.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
	require.NoError(t, held.Unlock())
	require.Equal(t, "state", string(load(t, store).State))
}

// TestAConnectionThatStallsIsGivenUp however long it has been used before: the
// clock is that of the bubble.
func TestAConnectionThatStallsIsGivenUp(t *testing.T) {
	for name, use := range map[string]func(conn net.Conn) error{
		"read":  func(conn net.Conn) error { _, err := conn.Read(make([]byte, 1)); return err },
		"write": func(conn net.Conn) error { _, err := conn.Write(make([]byte, 1)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				conn, answers := s3.Watched(near, time.Minute), s3.Watched(far, time.Hour)
				go func() {
					for range 10 {
						time.Sleep(50 * time.Second)
						if name == "read" {
							_, _ = answers.Write(make([]byte, 1))
						} else {
							_, _ = answers.Read(make([]byte, 1))
						}
					}
				}()
				for range 10 {
					require.NoError(t, use(conn))
				}
				began := time.Now()
				require.ErrorIs(t, use(conn), os.ErrDeadlineExceeded)
				require.Equal(t, time.Minute, time.Since(began))
			})
		})
	}
}

// TestAWriteCountsForTheReadThatWaits is a long upload: its answer is waited
// for from the start.
func TestAWriteCountsForTheReadThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := s3.Watched(near, time.Minute)
		answer := make(chan error)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			answer <- err
		}()
		for range 10 {
			go func() { _, _ = far.Read(make([]byte, 1)) }()
			_, err := conn.Write(make([]byte, 1))
			require.NoError(t, err)
			time.Sleep(50 * time.Second)
		}
		_, err := far.Write(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, <-answer)
	})
}
