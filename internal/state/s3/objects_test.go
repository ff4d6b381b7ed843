package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

func TestFiftyMegabytesOfStateAreWhole(t *testing.T) {
	_, store := start(t)
	_, lock := lock(t, store)
	data := bytes.Repeat([]byte("0123456789abcdef"), 50<<20/16)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: data}))
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, lock.Unlock())
	files := load(t, store)
	require.True(t, bytes.Equal(data, files.State))
	require.Equal(t, "line\n", string(files.Journal))
}

// counted are the requests of a kind and the size of the largest.
type counted struct {
	mu                sync.Mutex
	requests, largest int64
}

func count(server *s3server.Server, of func(*http.Request) bool) *counted {
	c := &counted{}
	server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if of(r) {
			c.mu.Lock()
			c.requests++
			c.largest = max(c.largest, r.ContentLength)
			c.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
	return c
}

// TestALineCostsOneSmallWrite whatever the size of the state, and however long
// the journal is.
func TestALineCostsOneSmallWrite(t *testing.T) {
	server, store := start(t)
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: bytes.Repeat([]byte("x"), 10<<20)}))
	var want strings.Builder
	heads := count(server, func(r *http.Request) bool { return isPut(r) && isHead(r) })
	const lines = 600
	for i := range lines {
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", 1000))
		want.WriteString(line)
		require.NoError(t, lock.Append(t.Context(), []byte(line)))
	}
	require.EqualValues(t, lines, heads.requests)
	require.Less(t, len(bucketOf(t, server).keys(".d/journal-")), 8+1, "600 KB in segments of 64 KiB and one of 512")
	for _, line := range []string{strings.Repeat("y", 1<<20) + "\n", "after\n"} {
		want.WriteString(line)
		require.NoError(t, lock.Append(t.Context(), []byte(line)))
	}
	require.Less(t, heads.largest, int64(100<<10))
	require.True(t, want.String() == string(load(t, store).Journal))

	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("small")}))
	require.Empty(t, bucketOf(t, server).keys(".d/journal-"))
	require.NoError(t, lock.Unlock())
}

func TestALongTrailHasFewObjects(t *testing.T) {
	server, store := start(t)
	_, lock := lock(t, store)
	var want strings.Builder
	for i := range 60 {
		lines := fmt.Sprintf("%d a %s\n%d b\n", i, strings.Repeat("x", 20_000), i)
		want.WriteString(lines)
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: uint64(i + 1), State: []byte("state"), Trail: []byte(lines)}))
		require.Equal(t, fmt.Sprintf("%d b", i), string(load(t, store).Last))
	}
	require.NoError(t, lock.Unlock())
	b := bucketOf(t, server)
	require.Less(t, len(b.keys(".d/trail-")), 8+2, "1.2 MB in segments of 64 and 512 KiB")
	require.Len(t, b.keys(".d/state-"), state.KeptVersions)
	text, err := store.Trail(t.Context())
	require.NoError(t, err)
	require.True(t, want.String() == string(text))
}

// TestADamagedPartOfTheTrailStopsNobody lets there be so many segments that
// they are joined, and one of them be gone.
func TestADamagedPartOfTheTrailStopsNobody(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	_, lock := lock(t, store)
	save := func(serial uint64) {
		lines := strings.Repeat("x", 70_000) + "\n"
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: serial, State: []byte("state"), Trail: []byte(lines)}))
	}
	save(1)
	b.remove(b.keys(".d/trail-")[0])
	for serial := range uint64(20) {
		save(serial + 2)
	}
	require.NoError(t, lock.Unlock())
	require.Equal(t, "state", string(load(t, store).State))
	_, err := store.Trail(t.Context())
	requireDamaged(t, err, "trail")
}

// TestWhatKilledRunsLeftIsSwept leaves what others put there alone.
func TestWhatKilledRunsLeftIsSwept(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	_, held := lock(t, store)
	require.NoError(t, held.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state"), Trail: []byte(strings.Repeat("x", 70_000) + "\n")}))
	require.NoError(t, held.Unlock())
	named := b.keys("")
	require.Len(t, named, 3)
	for _, left := range []string{
		"state-00000000000000000002-aaaaaaaaaaaaaaaaaaaaaaaaaa", "journal-aaaaaaaaaaaaaaaaaaaaaaaaaa", "trail-aaaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		b.put(s3.DefaultKey+".d/"+left, []byte("x"))
	}
	foreign := []string{s3.DefaultKey + ".d/README.md", s3.DefaultKey + ".d/state-mine", s3.DefaultKey + ".old"}
	for _, key := range foreign {
		b.put(key, []byte("x"))
	}
	_, held = lock(t, store)
	require.ElementsMatch(t, append(foreign, named...), b.keys(""))
	require.NoError(t, held.Unlock())
}

func TestASaveThatFailsHalfwayChangesNothing(t *testing.T) {
	server, store := start(t)
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("old"), Trail: []byte("old\n")}))
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	want := load(t, store)
	for name, of := range map[string]func(*http.Request) bool{
		"no object": func(r *http.Request) bool { return isPut(r) && !isHead(r) },
		"no head":   func(r *http.Request) bool { return isPut(r) && isHead(r) },
	} {
		t.Run(name, func(t *testing.T) {
			seen := first(server, 1000, of, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				s3server.Error(w, r, http.StatusForbidden, "AccessDenied", "Access Denied")
			})
			err := lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("new"), Trail: []byte("new\n")})
			require.EqualError(t, err, "PutObject: access denied")
			require.EqualValues(t, 1, seen.Load(), "what was refused is not tried again")
			require.Equal(t, want, load(t, store))
			server.Between(nil)
		})
	}
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("new"), Trail: []byte("new\n")}))
	require.Equal(t, state.Files{State: []byte("new"), Last: []byte("new")}, load(t, store))
	require.NoError(t, lock.Unlock())
}

// TestAReaderGoesOnWithTheNextState lets a holder replace what a reader is
// about to read, once the reader has seen its name.
func TestAReaderGoesOnWithTheNextState(t *testing.T) {
	server, store := start(t)
	writer := on(t, server)
	_, lock := lock(t, writer)
	serial := uint64(0)
	save := func(text string) error {
		serial++
		return lock.Save(context.Background(), state.Snapshot{Serial: serial, State: []byte(text)})
	}
	require.NoError(t, save("old"))
	isState := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, ".d/state-")
	}
	first(server, 1, isState, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		for range state.KeptVersions {
			if err := save("new"); err != nil {
				t.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
	require.Equal(t, "new", string(load(t, store).State))
	require.NoError(t, lock.Unlock())
}

// TestObjectsAreEncryptedAsAsked looks at what is sent with each write.
func TestObjectsAreEncryptedAsAsked(t *testing.T) {
	for _, c := range []struct{ sse, key, wantSSE, wantKey string }{
		{"", "", "", ""},
		{"AES256", "", "AES256", ""},
		{"", "alias/states", "aws:kms", "alias/states"},
		{"aws:kms:dsse", "alias/states", "aws:kms:dsse", "alias/states"},
	} {
		t.Run(c.wantSSE, func(t *testing.T) {
			server := s3server.Start(t)
			config := configOf(server)
			config.SSE, config.KMSKeyID = c.sse, c.key
			store, err := s3.Impatient(config)
			require.NoError(t, err)
			server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if isPut(r) && (r.Header.Get("X-Amz-Server-Side-Encryption") != c.wantSSE || r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != c.wantKey) {
					t.Errorf("%s: %v", r.URL.Path, r.Header)
				}
				next.ServeHTTP(w, r)
			})
			_, lock := lock(t, store)
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
			require.NoError(t, lock.Unlock())
			server.Between(nil)
			require.NotEmpty(t, bucketOf(t, server).keys(""))
		})
	}
}

// TestAHeadIsReadableForEver reads one that was written by the first release.
func TestAHeadIsReadableForEver(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	golden, err := os.ReadFile("testdata/head-v1.json")
	require.NoError(t, err)
	b.put(s3.DefaultKey, golden)
	b.put(s3.DefaultKey+".d/state-00000000000000000002-bbbbbbbbbbbbbbbbbbbbbbbbbb", []byte("second"))
	b.put(s3.DefaultKey+".d/state-00000000000000000001-aaaaaaaaaaaaaaaaaaaaaaaaaa", []byte("first"))
	b.put(s3.DefaultKey+".d/journal-cccccccccccccccccccccccccc", []byte("one\n"))
	b.put(s3.DefaultKey+".d/trail-dddddddddddddddddddddddddd", []byte("old\n"))
	require.Equal(t, state.Files{State: []byte("second"), Journal: []byte("one\ntwo\n"), Last: []byte("new")}, load(t, store))
	text, err := store.Trail(t.Context())
	require.NoError(t, err)
	require.Equal(t, "old\nnew\n", string(text))
	all, err := store.Versions(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	_, _, err = store.Lock(t.Context(), state.Who{})
	require.ErrorContains(t, err, `locked by ann@desk (pid 4711, "proximity apply", since 2026-01-02 03:04:05)`)
}
