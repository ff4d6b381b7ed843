package pve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzTaskLog reads any name of a task and any log. A name that is understood
// says where the task is; of the log nothing is made up, warnings are lines of
// it, its last words are few, and no secret comes through.
func FuzzTaskLog(f *testing.F) {
	f.Add(upid, "extracting archive\nWARN: Systemd 257 detected.\nTASK WARNINGS: 1", "WARNINGS: 1")
	f.Add("UPID:pve1:0000F00D:00000001:6921B3A0:vzdump::root@pam:", "ERROR: Backup of VM 100 failed\nTASK ERROR: job errors", "job errors")
	f.Add("UPID:::::::::", "no content", "unexpected status")
	f.Fuzz(func(t *testing.T, name, log, exit string) {
		u, err := ParseUPID(name)
		if err != nil {
			require.Equal(t, UPID{}, u)
			u.Node = "pve1"
		} else {
			require.NotEmpty(t, u.Node)
			require.Contains(t, name, ":"+u.Type+":"+u.ID+":"+u.User+":")
		}
		lines := strings.Split(log, "\n")
		rows := make([]map[string]any, len(lines))
		for i, line := range lines {
			rows[i] = map[string]any{"n": i + 1, "t": line}
		}
		body, err := json.Marshal(map[string]any{"data": rows})
		require.NoError(t, err)
		client, _ := newFake(t, func(r *http.Request) (*http.Response, error) { return reply("200 OK", string(body))(r) })
		var told []string
		w := waiter{client: client, upid: name, task: u, log: func(line string) { told = append(told, line) }}
		read := w.readLog(t.Context())
		require.Len(t, told, read)
		require.LessOrEqual(t, read, len(lines))
		for _, warning := range w.warnings {
			require.True(t, slices.ContainsFunc(told, func(line string) bool { return strings.HasSuffix(line, warning) }))
		}
		words := lastWords(w.last, exit)
		require.LessOrEqual(t, len(words), 3)
		said := (&Error{Status: 200, Message: client.redact(exit, nil), Task: name, Log: words}).Error()
		for _, text := range slices.Concat(told, w.warnings, []string{said}) {
			if !strings.Contains(name, "1234-secret") {
				require.NotContains(t, text, "1234-secret")
			}
		}
	})
}
