package proxmox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// entry is one grant: to whom, where, what.
type entry struct{ who, path, privs string }

// granted returns a provider whose token has just these grants, each by a role of
// its own.
func (l *lab) granted(privsep string, entries ...entry) *lab {
	l.t.Helper()
	l.by("POST", "/access/users", url.Values{"userid": {"kim@pve"}})
	client := l.tokenOf("kim@pve", "cli", privsep)
	for i, e := range entries {
		role := []string{"Proximity", "Other", "Third"}[i]
		l.by("POST", "/access/roles", url.Values{"roleid": {role}, "privs": {e.privs}})
		kind := "users"
		if strings.Contains(e.who, "!") {
			kind = "tokens"
		}
		l.by("PUT", "/access/acl", url.Values{"path": {e.path}, kind: {e.who}, "roles": {role}})
	}
	return &lab{New(Options{Host: "pve", Client: client, Range: resource.IDRange{Low: 2000, High: 2999}}), l.t, l.sim}
}

// pveum carries a command of the node's shell out on the simulated host.
func (l *lab) pveum(line string) {
	l.t.Helper()
	line, _, _ = strings.Cut(line, "  #")
	words := strings.Fields(strings.ReplaceAll(line, "'", ""))
	require.Equal(l.t, "pveum", words[0])
	form := url.Values{}
	for i := 4; i+1 < len(words); i += 2 {
		form.Set(strings.TrimPrefix(words[i], "--"), words[i+1])
	}
	switch strings.Join(words[1:3], " ") {
	case "role add":
		form.Set("roleid", words[3])
		l.by("POST", "/access/roles", form)
	case "role modify":
		l.by("PUT", "/access/roles/"+words[3], form)
	case "acl modify":
		form.Set("path", words[3])
		l.by("PUT", "/access/acl", form)
	default:
		l.t.Fatalf("no command: %s", line)
	}
}

// The commands that an inspection prints grant all that it misses, and take
// nothing away from anybody, however the privileges were given before.
func TestCommandsGrantWhatIsMissing(t *testing.T) {
	few := "VM.Audit,VM.Allocate,Datastore.Audit"
	all := strings.Join(roleNames(), ",")
	for _, c := range []struct {
		name    string
		privsep string
		entries []entry
		starts  string // the first command
	}{
		{"a role that is too small", "0", []entry{{"kim@pve", "/", few}}, "pveum role modify Proximity --append 1 --privs "},
		{"a role on guests only", "0", []entry{{"kim@pve", "/vms", few}}, "pveum role add ProximityHost --privs "},
		{"nothing at all", "0", nil, "pveum role add ProximityHost --privs "},
		{"a token below a mighty user", "1", []entry{{"kim@pve!cli", "/vms", few}, {"kim@pve", "/", all + ",VM.Console"}}, "pveum role add ProximityHost --privs "},
		{"a token with less than its user", "1", []entry{{"kim@pve!cli", "/storage", few}, {"kim@pve", "/vms", all}}, "pveum role add ProximityHost --privs "},
		{"one storage is left out", "0", []entry{{"kim@pve", "/", all}, {"kim@pve", "/storage/nvme", "Datastore.Audit"}}, "pveum role add ProximityStorage --privs "},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := openLab(t, pvesim.Options{})
			l := root.granted(c.privsep, c.entries...)
			before, err := l.Inspect(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, before.Missing)
			require.True(t, strings.HasPrefix(before.Commands[0], c.starts), before.Commands[0])
			if c.privsep == "1" && strings.Contains(c.entries[1].privs, "VM.Console") {
				require.NotContains(t, strings.Join(append(before.Commands, before.More...), "\n"), "--users", "the user has it all")
			}
			had, users := l.askRights(t.Context(), ""), l.askRights(t.Context(), "kim@pve")
			for _, line := range append(before.Commands, before.More...) {
				root.pveum(line)
			}
			after, err := l.Inspect(t.Context())
			require.NoError(t, err)
			require.Empty(t, after.Missing, "%v", before.Commands)
			require.Empty(t, after.Optional, "%v", before.More)
			require.Empty(t, after.Commands)
			for _, was := range []struct {
				before, after rights
			}{{had, l.askRights(t.Context(), "")}, {users, l.askRights(t.Context(), "kim@pve")}} {
				for path, privileges := range was.before {
					for name := range privileges {
						require.True(t, was.after.has(path, name), "%s on %s is lost", name, path)
					}
				}
			}
		})
	}
}

// Privileges on guests may come from a pool, those on bridges one by one.
func TestInspectionOfAPoolsToken(t *testing.T) {
	all := strings.Join(roleNames(), ",")
	root := openLab(t, pvesim.Options{})
	root.by("POST", "/pools", url.Values{"poolid": {"ours"}})
	l := root.granted("0", entry{"kim@pve", "/pool/ours", all}, entry{"kim@pve", "/sdn/zones/localnetwork/vmbr1", "SDN.Use"}, entry{"kim@pve", "/storage", all})
	found, err := l.Inspect(t.Context())
	require.NoError(t, err)
	require.Len(t, found.Missing, 1)
	require.Equal(t, "Sys.Audit", found.Missing[0].Name)
	require.Equal(t, []string{"vmbr1"}, found.Bridges["pve1"])
}

// What a release cannot do is told with the one that can.
func TestInspectionOfReleases(t *testing.T) {
	for version, lacks := range map[string]int{"9.2.11": 0, "9.0.3": 1, "8.4.1": 2, "7.4": 7} {
		l := openLab(t, pvesim.Options{})
		l.Client = releasedClient(t, l.sim, version)
		found, err := l.Inspect(t.Context())
		require.NoError(t, err)
		require.Len(t, found.Lacks, lacks, version)
	}
}

// A privilege that only images need is asked for by no release without them: 7.4
// has none of that name to grant.
func TestInspectionAsksForNoPrivilegeOfLater(t *testing.T) {
	for _, version := range []string{"7.4", "8.4", "9.2"} {
		l := openLab(t, pvesim.Options{PVE: version})
		found, err := l.Inspect(t.Context())
		require.NoError(t, err)
		require.Empty(t, found.Missing, version)
		require.Empty(t, found.Optional, version)
	}
}

// released answers with another release than the simulator's own.
type released struct {
	http.RoundTripper
	version string
}

func (r released) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/version") {
		return r.RoundTripper.RoundTrip(request)
	}
	return answered(request, `{"data":{"version":"`+r.version+`"}}`), nil
}

func releasedClient(t *testing.T, sim *pvesim.Sim, version string) *pve.Client {
	t.Helper()
	id, secret := sim.Token()
	client, err := pve.New(pve.Options{TokenID: id, TokenSecret: secret, Transport: released{sim.Transport(), version}})
	require.NoError(t, err)
	return client
}

// A node that is down and a storage that cannot be reached are problems, and so
// is that nothing could be made anywhere.
func TestInspectionOfABrokenHost(t *testing.T) {
	seed := pvesim.Cluster()
	seed.Nodes[1].Status = "offline"
	for i := range seed.Storages {
		seed.Storages[i].Offline = seed.Storages[i].Storage == "backup"
		seed.Storages[i].Content = strings.ReplaceAll(seed.Storages[i].Content, "rootdir", "images")
	}
	l := openLab(t, pvesim.Options{Seed: seed})
	found, err := l.Inspect(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`node "pve2" is offline`, `storage "backup" is not available on node "pve1"`,
		`storage "backup" is not available on node "pve3"`, "no storage that can be seen holds disks of containers (content rootdir)"}, found.Problems)
}

func answered(request *http.Request, body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Request: request,
		Body: readCloser{strings.NewReader(body)}, ContentLength: int64(len(body))}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
