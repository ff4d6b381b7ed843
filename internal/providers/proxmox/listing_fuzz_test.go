package proxmox

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// saysAlways is a host that gives one answer to every question.
type saysAlways string

func (s saysAlways) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Status: "200 OK", Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(string(s))),
	}, nil
}

// FuzzListings gives a host's look any answer to all its questions: the list of
// resources, the configuration of a container, changes that wait, backup jobs.
// A look never panics, and says of each target what it found or why it found
// out nothing.
func FuzzListings(f *testing.F) {
	f.Add(`[{"type":"lxc","vmid":2000,"node":"pve1","status":"running","pool":"p","tags":"a;b","maxmem":536870912},{"type":"node","node":"pve1","status":"offline"}]`)
	f.Add(`[{"key":"memory","value":512,"pending":"1024"},{"key":"net0","value":"name=eth0,bridge=vmbr0","delete":1},{"key":"digest","value":"d"}]`)
	f.Add(`{"version":"9.2.11","memory":"512","lxc":[["lxc.x","1"]],"rootfs":"local-lvm:vm-2000-disk-0,size=4G","digest":"d"}`)
	f.Add(`[{"id":"proximity-nightly-00000000","vmid":"100,101","prune-backups":{"keep-last":"3"},"enabled":0,"comment":"x [proximity] l1 n1 backup_policy.nightly"}]`)
	f.Fuzz(func(t *testing.T, data string) {
		if !json.Valid([]byte(data)) {
			t.Skip("no JSON: that is asked for again")
		}
		way := saysAlways(`{"data":` + data + `}`)
		client, err := pve.New(pve.Options{TokenID: "root@pam!x", TokenSecret: "1234-secret", Transport: way})
		require.NoError(t, err)
		p := New(Options{Host: "pve", Client: client, Range: resource.IDRange{Low: 2000, High: 2999}})
		web, nightly := app("web", values{"network": labelled("network", map[string]values{"eth0": {"ip": str("dhcp")}})}), policy(nil)
		prior := resource.Object{Addr: web.Addr, Host: "pve", ID: "2000", Nonce: "n2000", Attrs: web.Want}
		job := resource.Object{Addr: nightly.Addr, Host: "pve", ID: "proximity-nightly-00000000", Nonce: "n1", Attrs: nightly.Want}
		targets := []providers.Target{
			{Addr: web.Addr, Want: &web, Prior: &prior, Marker: resource.Marker{Lineage: "l1", Addr: web.Addr, Nonce: "n2000"}},
			{Addr: nightly.Addr, Want: &nightly, Prior: &job, Marker: resource.Marker{Lineage: "l1", Addr: nightly.Addr, Nonce: "n1"}},
		}
		if found, err := p.Observe(t.Context(), targets); err == nil {
			for _, target := range targets {
				seen, looked := found.Seen[target.Addr]
				require.True(t, looked)
				require.True(t, seen.Presence != resource.Unknown || seen.Why != "", "%s: unknown without a reason", target.Addr)
			}
		}
		// What a listing does not say the container itself may: as if it were there.
		for _, of := range []view{asSet, withWaiting, inFull} {
			cfg, err := p.readConfig(t.Context(), "pve1", "2000", of)
			if err != nil {
				continue
			}
			guest := row{Type: "lxc", Node: "pve1", VMID: 2000, Status: "stopped"}
			seen := p.seen(t.Context(), targets[0], guest, guest.Status, cfg)
			require.True(t, seen.Object.Attrs.Type().Equals(p.kinds["app"].Schema.Type()))
			require.Equal(t, cty.NumberIntVal(2000), resource.Attribute(seen.Object.Attrs, "id"))
			resource.Diff(p.kinds["app"], &prior, web, seen, resource.Sealer{})
		}
	})
}
