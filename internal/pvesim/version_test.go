package pvesim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// A difference is something that changed with a release: see section 17 of the API facts. Look tells in one line what a
// client sees.
type difference struct {
	name          string
	with, until   string // the first release that has it so, and the first that has it so no more
	before, after string
	look          func(a *api) string
}

// unknownParameter is the schema's error.
const unknownParameter = "property is not defined in schema and the schema does not allow additional properties"

func TestVersions(t *testing.T) {
	differences := slices.Concat(transportDifferences(), parameterDifferences(), containerDifferences(), hostDifferences())
	for _, version := range pvesim.Versions() {
		t.Run(version, func(t *testing.T) {
			for _, d := range differences {
				t.Run(d.name, func(t *testing.T) {
					a := openSim(t, pvesim.Options{PVE: version, Seed: versionSeed()})
					want := d.after
					if older(version, d.with) || d.until != "" && !older(version, d.until) {
						want = d.before
					}
					require.Equal(t, want, d.look(a))
				})
			}
		})
	}
}

func older(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, wrong := strconv.ParseFloat(b, 64)
	if err != nil || wrong != nil {
		panic(a + " or " + b + " is no version")
	}
	return x < y
}

// versionSeed is a node with a running and a stopped guest.
func versionSeed() *pvesim.Seed {
	seed := pvesim.Single()
	for vmid, running := range map[int]bool{100: false, 101: true} {
		seed.Guests = append(seed.Guests, pvesim.SeedGuest{VMID: vmid, Running: running, IgnoresShutdown: true, Config: map[string]string{
			"arch": "amd64", "ostype": "debian", "memory": "512", "swap": "512", "unprivileged": "1",
			"rootfs": fmt.Sprintf("local-lvm:vm-%d-disk-0,size=4G", vmid),
			"net0":   fmt.Sprintf("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:%02X,ip=192.0.2.9/24,type=veth", vmid),
		}})
	}
	seed.Users = []pvesim.SeedUser{{ID: "kim@pve", Enable: 1}}
	seed.ACL = []pvesim.SeedACL{
		{Path: "/vms", Who: "kim@pve", Role: "PVEVMAdmin", Propagate: 1}, {Path: "/storage", Who: "kim@pve", Role: "PVEDatastoreUser", Propagate: 1},
	}
	return seed
}

// raw sends a request with the seed's token and returns the response with its body.
func (a *api) raw(method, path, contentType, body string) (*http.Response, string) {
	id, secret := a.sim.Token()
	return a.rawAs(id+"="+secret, method, path, contentType, body)
}

func (a *api) rawAs(token, method, path, contentType, body string) (*http.Response, string) {
	a.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, "https://pve/api2/json"+path, reader)
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "PVEAPIToken="+token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := a.sim.Transport().RoundTrip(r)
	require.NoError(a.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	return response, string(text)
}

// form sends a form and returns "200", or the status with what is wrong with the parameters, or else its reason.
func (a *api) form(method, path string, form url.Values) string {
	a.t.Helper()
	body := form.Encode()
	if method == http.MethodGet || method == http.MethodDelete {
		path, body = path+"?"+body, ""
	}
	return told(a.raw(method, path, "application/x-www-form-urlencoded", body))
}

func told(response *http.Response, body string) string {
	var envelope struct{ Errors map[string]string }
	decoder := json.NewDecoder(bytes.NewReader([]byte(body)))
	if response.StatusCode == http.StatusOK {
		return "200"
	}
	if decoder.Decode(&envelope) == nil && len(envelope.Errors) > 0 {
		text, err := json.Marshal(envelope.Errors)
		if err != nil {
			panic(err)
		}
		return "400 " + string(text)
	}
	return response.Status
}

// asRoot is form for root@pam itself, with a ticket.
func (a *api) asRoot(method, path string, form url.Values) string {
	a.t.Helper()
	login := a.ok("POST", "/access/ticket", url.Values{"username": {"root@pam"}, "password": {"proximity"}}).(map[string]any)
	r, err := http.NewRequest(method, "https://pve/api2/json"+path, strings.NewReader(form.Encode()))
	require.NoError(a.t, err)
	r.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: url.QueryEscape(login["ticket"].(string))})
	r.Header.Set("CSRFPreventionToken", login["CSRFPreventionToken"].(string))
	response, err := a.sim.Transport().RoundTrip(r)
	require.NoError(a.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	return told(response, string(text))
}

// unknown is what form says of a parameter that a release does not know.
func unknown(name string) string { return fmt.Sprintf(`400 {%q:%q}`, name, unknownParameter) }

// kim makes a token of a user that has rights on guests and storages alone.
func (a *api) kim() string {
	made := a.ok("POST", "/access/users/kim@pve/token/lab", url.Values{"privsep": {"0"}}).(map[string]any)
	return "kim@pve!lab=" + made["value"].(string)
}

// keys are those of an object, in order.
func keys(v any) []string {
	var names []string
	for name := range v.(map[string]any) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// yes is "yes" or "no".
func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
