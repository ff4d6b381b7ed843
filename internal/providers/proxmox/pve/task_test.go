package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const upid = "UPID:pve1:0000F00D:00000001:6921B3A0:vzcreate:100:root@pam!test:"

// node is a node on which every task takes the same time.
type node struct {
	takes time.Duration
	exit  string
	log   []string
	fails func(n int) bool // the n-th look fails

	mu    sync.Mutex
	begun map[string]time.Time
	looks int
}

func (n *node) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api2/json/"), "/")
	if parts[len(parts)-1] == "log" {
		rows := []string{}
		start, _ := strconv.Atoi(r.URL.Query().Get("start"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		for i := start; i < min(start+limit, len(n.log)); i++ {
			rows = append(rows, fmt.Sprintf(`{"n":%d,"t":%q}`, i+1, n.log[i]))
		}
		return reply("200 OK", `{"data":[`+strings.Join(rows, ",")+`]}`)(r)
	}
	n.looks++
	if n.fails != nil && n.fails(n.looks) {
		return reply("596 Connection timed out", "")(r)
	}
	name := parts[3]
	if n.begun == nil {
		n.begun = map[string]time.Time{}
	}
	if n.begun[name].IsZero() {
		n.begun[name] = time.Now()
	}
	if time.Since(n.begun[name]) < n.takes-shortestDelay { // it began before the first look
		return reply("200 OK", `{"data":{"status":"running"}}`)(r)
	}
	return reply("200 OK", fmt.Sprintf(`{"data":{"status":"stopped","exitstatus":%q}}`, n.exit))(r)
}

func (n *node) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(Options{TokenID: "root@pam!test", TokenSecret: "1234-secret", Transport: n})
	require.NoError(t, err)
	return c
}

func TestTasksEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		node     *node
		warnings []string
		err      string
	}{
		{"well", &node{takes: time.Second, exit: "OK"}, nil, ""},
		{"with warnings", &node{exit: "WARNINGS: 1", log: []string{"a", "WARN: Systemd 257 detected.", "TASK WARNINGS: 1"}}, []string{"Systemd 257 detected."}, ""},
		{"badly", &node{exit: "job errors", log: []string{"one", "ERROR: Backup of VM 100 failed", "TASK ERROR: job errors"}}, nil,
			"task vzcreate 100: job errors (log: one | ERROR: Backup of VM 100 failed)"},
		{"through lost connections", &node{takes: time.Minute, exit: "OK", fails: func(n int) bool { return n%3 != 0 }}, nil, ""},
		{"while nothing answers for long", &node{exit: "OK", fails: func(n int) bool { return n < 100 }}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				warnings, err := c.node.client(t).Wait(t.Context(), upid, nil)
				require.Equal(t, c.warnings, warnings)
				if c.err == "" {
					require.NoError(t, err)
					return
				}
				require.EqualError(t, err, c.err)
				require.True(t, IsTaskFailure(err))
				require.False(t, IsWaiting(err))
			})
		})
	}
}

// A long task warns early, or at the end of a log of several pages, and its last
// words may have been read already when it ends: nothing of that is lost, and no
// secret is in it.
func TestWordsOfLongLogsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := slices.Concat([]string{"WARN: early 1234-secret"}, slices.Repeat([]string{"copying"}, 1200), []string{"WARNING: late"})
		for _, log := range []func(string){nil, func(string) {}} {
			n := node{takes: time.Minute, exit: "WARNINGS: 2", log: long}
			warnings, err := n.client(t).Wait(t.Context(), upid, log)
			require.NoError(t, err)
			require.Equal(t, []string{"early [redacted]", "late"}, warnings)
		}
		n := node{takes: time.Minute, exit: "no space", log: []string{"copying", "write failed"}}
		_, err := n.client(t).Wait(t.Context(), upid, func(string) {})
		require.EqualError(t, err, "task vzcreate 100: no space (log: copying | write failed)")
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := node{takes: time.Hour, exit: "OK"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := n.client(t).Wait(ctx, upid, nil)
		require.True(t, IsWaiting(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

func TestWaitSaysWhyItEnded(t *testing.T) {
	for why, cause := range map[string]error{"by an interrupt": nil, "the lock was lost": errors.New("the lock was lost")} {
		synctest.Test(t, func(t *testing.T) {
			n := node{takes: time.Hour, exit: "OK"}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			_, err := n.client(t).Wait(ctx, upid, nil)
			require.True(t, IsWaiting(err))
			require.ErrorIs(t, err, context.Canceled)
			require.EqualError(t, err, "task vzcreate 100: it goes on, the wait for it ended: "+why)
		})
	}
}

func TestWordsOfLongTasksAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := node{takes: 5 * time.Second, exit: "OK", log: []string{"extracting archive"}}
		var told []string
		_, err := n.client(t).Wait(t.Context(), upid, func(line string) { told = append(told, line) })
		require.NoError(t, err)
		require.Contains(t, told, "extracting archive")
	})
}

// Two hundred tasks of a second each, twelve at a time, end within a tenth of
// what they must take, with few looks at each.
func TestTasksAreNoticedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks, width = 200, 12
		n := &node{takes: time.Second, exit: "OK"}
		client := n.client(t)
		begin := time.Now()
		var wg sync.WaitGroup
		next := make(chan int)
		for range width {
			wg.Go(func() {
				for i := range next {
					_, err := client.Wait(t.Context(), strings.Replace(upid, "0000F00D", fmt.Sprintf("%08X", i), 1), nil)
					if err != nil {
						panic(err)
					}
				}
			})
		}
		for i := range tasks {
			next <- i
		}
		close(next)
		wg.Wait()
		least := time.Second * ((tasks + width - 1) / width)
		took := time.Since(begin)
		t.Logf("%d tasks took %v, at least %v; %.1f looks at each", tasks, took, least, float64(n.looks)/tasks)
		require.Less(t, took, least*110/100)
		require.Less(t, n.looks, 12*tasks)
	})
}

func TestUPID(t *testing.T) {
	u, err := ParseUPID(upid)
	require.NoError(t, err)
	require.Equal(t, UPID{Node: "pve1", Type: "vzcreate", ID: "100", User: "root@pam!test", Start: time.Unix(0x6921B3A0, 0)}, u)
	for _, bad := range []string{"", "OK", "UPID:pve1:1:2", strings.Replace(upid, "6921B3A0", "no", 1)} {
		_, err := ParseUPID(bad)
		require.Error(t, err, bad)
	}
}
