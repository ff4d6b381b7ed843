package pvesim_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// listen serves an estate on a port and returns a client that trusts the fingerprint only.
func listen(t *testing.T, a *api) (*pvesim.Server, *http.Client) {
	t.Helper()
	server, err := a.sim.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	pinned := &tls.Config{
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			want := strings.ToLower(strings.ReplaceAll(server.Fingerprint, ":", ""))
			if fmt.Sprintf("%x", sha256.Sum256(raw[0])) != want {
				return errors.New("another certificate")
			}
			return nil
		},
	}
	transport := &http.Transport{TLSClientConfig: pinned}
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport}
}

// get asks over a socket and returns status line, body and whether the connection was used before.
func get(t *testing.T, a *api, client *http.Client, url string) (response *http.Response, body string, reused bool) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
	}))
	id, secret := a.sim.Token()
	r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err = client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text), reused
}

func TestWireIsLikeTheTransport(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	server, client := listen(t, a)
	for _, path := range []string{"/version", "/nodes/pve1/lxc/999/config", "/nosuch"} {
		want, _ := a.call("GET", path, nil)
		response, body, _ := get(t, a, client, server.URL+"/api2/json"+path)
		require.Equal(t, want, response.Status)
		require.Equal(t, "application/json;charset=UTF-8", response.Header.Get("Content-Type"))
		require.Contains(t, body, `"data":`)
		require.Equal(t, response.StatusCode >= 400, response.Close, "the connection closes after errors")
	}
}

func TestConnectionEndsAfterHundredAnswers(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	server, client := listen(t, a)
	for n := range 101 {
		response, _, reused := get(t, a, client, server.URL+"/api2/json/version")
		require.Equal(t, n != 0 && n != 100, reused, "answer %d", n)
		require.Equal(t, n == 99, response.Close, "answer %d", n)
	}
}

func TestExtJSAnswersAlways200(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	server, client := listen(t, a)
	response, body, _ := get(t, a, client, server.URL+"/api2/extjs/nodes/pve1/lxc/999/config")
	require.Equal(t, 200, response.StatusCode)
	require.Contains(t, body, `"success":0`)
	require.Contains(t, body, `"status":500`)
}

// certificates last as long as the directory.
func TestCertificateIsKept(t *testing.T) {
	dir := t.TempDir()
	first, _ := listen(t, reopen(t, dir, newStepClock()))
	second, _ := listen(t, reopen(t, dir, newStepClock()))
	require.Equal(t, first.Fingerprint, second.Fingerprint)
}

func TestFaults(t *testing.T) {
	create := smallest("300")
	tests := []struct {
		name   string
		fault  pvesim.Fault
		status string // "" when no answer comes
		exists bool   // the container, in the end
	}{
		{"refused", pvesim.Fault{Method: "POST", Path: "/nodes/*/lxc", Status: 503, Message: "busy"}, "503 busy", false},
		{"closed before", pvesim.Fault{Path: "/nodes/pve1/**", CloseConn: true}, "", false},
		{"reply dropped", pvesim.Fault{Method: "POST", DropReply: true}, "", true},
		{"another path", pvesim.Fault{Path: "/nodes/pve2/lxc", CloseConn: true}, "200 OK", true},
		{"another method", pvesim.Fault{Method: "GET", CloseConn: true}, "200 OK", true},
		{"later", pvesim.Fault{Method: "POST", Skip: 1, CloseConn: true}, "200 OK", true},
		{"task fails", pvesim.Fault{Method: "POST", FailTask: "unable to create CT 300 - disk on fire"}, "200 OK", false},
		{"taken meanwhile", pvesim.Fault{Method: "POST", Behind: func(e *pvesim.Edit) {
			e.AddGuest(300, "pve3", map[string]string{"hostname": "stranger"})
		}}, "500 CT 300 already exists on node 'pve3'", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := openSim(t, pvesim.Options{Faults: []pvesim.Fault{test.fault}})
			status := post(t, a, "/nodes/pve1/lxc", create)
			require.Equal(t, test.status, status)
			a.sim.ClearFaults()
			require.NoError(t, a.clock.Sleep(t.Context(), 60e9))
			require.Equal(t, test.exists, a.sim.World().Guests[300].VMID != 0)
			require.NotContains(t, a.sim.World().Guests[300].Config, "lock")
		})
	}
}

// post sends a form and returns the status line, "" when no answer came.
func post(t *testing.T, a *api, path string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequest("POST", "https://pve/api2/json"+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	id, secret := a.sim.Token()
	r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err := a.sim.Transport().RoundTrip(r)
	if err != nil {
		return ""
	}
	require.NoError(t, response.Body.Close())
	return response.Status
}

func TestCutBody(t *testing.T) {
	a := openSim(t, pvesim.Options{Faults: []pvesim.Fault{{Path: "/version", CutBody: true, Count: 1}}})
	server, client := listen(t, a)
	r, err := http.NewRequest("GET", server.URL+"/api2/json/version", nil)
	require.NoError(t, err)
	id, secret := a.sim.Token()
	r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.ReadAll(response.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, body, _ := get(t, a, client, server.URL+"/api2/json/version")
	require.Contains(t, body, "9.2")
}
