package proxmox

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func policy(set values) resource.Resource {
	kind := policyKind()
	all := values{
		"host": str("pve"), "schedule": str("02:30"), "storage": str("backup"), "mode": str("snapshot"),
		"compress": str("zstd"), "enabled": cty.True, "apps": numbers(100),
	}
	for k, v := range set {
		all[k] = v
	}
	return resource.Resource{Addr: addr.New("backup_policy", "nightly"), Host: "pve", Want: kind.Schema.Value(all)}
}

func numbers(list ...int64) cty.Value {
	if len(list) == 0 {
		return cty.SetValEmpty(cty.Number)
	}
	var all []cty.Value
	for _, n := range list {
		all = append(all, whole(n))
	}
	return cty.SetVal(all)
}

func (l *lab) createPolicyNow(want resource.Resource) resource.Object {
	l.t.Helper()
	made, err := l.Create(l.t.Context(), l.job(want, jobID("l1", want.Addr)))
	require.NoError(l.t, err)
	return record(want, made)
}

// Every setting of a policy is read back as it was wanted, and each can be
// changed.
func TestPolicyIsAsWanted(t *testing.T) {
	keep := func(set values) cty.Value { b := keepBlock(); return b.Value(set) }
	rich := values{
		"schedule": str("mon..fri 22:30"), "mode": str("stop"), "compress": str("gzip"), "apps": numbers(100, 101),
		"keep": keep(values{"daily": whole(7), "weekly": whole(4)}), "enabled": cty.False, "comment": str("Nightly, of all"),
		"notes_template": str("{{guestname}}"), "mail_to": texts([]string{"root@example.net"}), "mail_when": str("failure"),
		"bandwidth": whole(1000), "protected": cty.True, "repeat_missed": cty.True, "node": str("pve1"), "max_age": whole(93600),
	}
	for _, c := range []struct {
		name          string
		before, after values
	}{
		{"nothing changes", nil, nil},
		{"everything comes", nil, rich},
		{"everything goes", rich, nil},
		{"all but one", nil, values{"apps": cty.NilVal, "all": cty.True, "exclude": numbers(101)}},
		{"named again", values{"apps": cty.NilVal, "all": cty.True, "exclude": numbers(101)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := policy(c.before)
			made := l.createPolicyNow(want)
			edits, _ := l.edits(want, made)
			require.Empty(t, edits, "after the create")
			if after := policy(c.after); !after.Want.RawEquals(want.Want) {
				l.change(after, made)
			}
		})
	}
}

// Proxmox has no jobs without guests. A policy that covers none is away until
// it does, and that is no difference.
func TestPolicyWithoutGuests(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := policy(values{"apps": numbers()})
	made := l.createPolicyNow(want)
	edits, _ := l.edits(want, made)
	require.Empty(t, edits)
	l.hasJobs()

	want = policy(nil)
	made, _ = l.change(want, made)
	l.hasJobs(made.ID)

	made, _ = l.change(policy(values{"apps": numbers()}), made)
	l.hasJobs()
}

func (l *lab) hasJobs(ids ...string) {
	l.t.Helper()
	jobs, err := l.listJobs(l.t.Context())
	require.NoError(l.t, err)
	var found []string
	for _, j := range jobs {
		found = append(found, string(j.ID))
	}
	require.Equal(l.t, ids, found)
}

// A job of somebody else is never touched, even under the name of ours.
func TestPolicyOfSomebodyElse(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := policy(nil)
	id := jobID("l1", want.Addr)
	l.by("POST", "/cluster/backup", url.Values{"id": {id}, "vmid": {"100"}, "schedule": {"02:00"}, "storage": {"backup"}})
	_, err := l.Create(t.Context(), l.job(want, id))
	require.ErrorIs(t, err, providers.ErrTaken{ID: id})
	var stranger providers.ErrStranger
	require.ErrorAs(t, l.Delete(t.Context(), l.job(want, id)), &stranger)
	_, err = l.Update(t.Context(), l.job(want, id))
	require.ErrorAs(t, err, &stranger)
	prior := resource.Object{Addr: want.Addr, ID: id, Nonce: "n" + id}
	require.Equal(t, resource.Stranger, l.see(&want, &prior).Presence)
	l.hasJobs(id)
}

func TestPolicyChangedByHand(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	made := l.createPolicyNow(policy(nil))
	want := policy(values{"schedule": str("04:00")})
	edits, seen := l.edits(want, made)
	l.by("PUT", "/cluster/backup/"+made.ID, url.Values{"schedule": {"05:00"}})
	job := l.job(want, made.ID)
	job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
	_, err := l.Update(t.Context(), job)
	require.ErrorIs(t, err, providers.ErrChanged{ID: made.ID})
}

func TestPolicyIsDeletedOnce(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := policy(nil)
	made := l.createPolicyNow(want)
	job := l.job(want, made.ID)
	job.Report = &providertest.Recorder{}
	require.NoError(t, l.Delete(t.Context(), job))
	require.NoError(t, l.Delete(t.Context(), job))
	require.Equal(t, resource.Gone, l.see(&want, &made).Presence)
}

func TestRemarkSurvivesComment(t *testing.T) {
	m := resource.Marker{Lineage: "l1", Addr: addr.New("backup_policy", "x").Each("a b"), Nonce: "n1"}
	for _, text := range []string{"", "Nightly", "a [proximity] b"} {
		j := backupJob{Comment: pve.Text(comment(text, m))}
		got, marker := j.remark()
		require.Equal(t, text, got)
		require.Equal(t, m, marker)
	}
}

// A container that goes is taken out of the jobs of others, but not out of one
// that a policy of ours describes: that lets it go by itself.
func TestADeletedAppLeavesJobsOfOthersOnly(t *testing.T) {
	for _, ours := range []bool{true, false} {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", nil), 2000)
		id := "theirs"
		if ours {
			id = l.createPolicyNow(policy(values{"apps": numbers(100, 2000)})).ID
		} else {
			l.by("POST", "/cluster/backup", url.Values{"id": {id}, "schedule": {"daily"}, "storage": {"backup"}, "vmid": {"100,2000"}})
		}
		l.by("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:2000"}, "state": {"ignored"}})
		job := l.job(resource.Resource{Addr: made.Addr}, "2000")
		job.Prior = &made
		require.NoError(t, l.Delete(t.Context(), job), "what keeps Proxmox from deleting it goes first")
		there, err := l.findJob(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, ours, there.names("2000"))
	}
}

// Copies of a container on other nodes are people's to decide about: with them
// it is left as it is, and still runs.
func TestAReplicatedAppOfAPolicyIsNotDeleted(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	made := l.create(app("web", values{"disk": object("disk", values{"size": gibibytes(4), "storage": str("nvme")})}), 2000)
	l.createPolicyNow(policy(values{"apps": numbers(100, 2000)}))
	l.by("POST", "/cluster/replication", url.Values{"id": {"2000-0"}, "type": {"local"}, "target": {"pve2"}})
	job := l.job(resource.Resource{Addr: made.Addr}, "2000")
	job.Prior = &made
	require.EqualError(t, l.Delete(t.Context(), job), "container 2000 is replicated by job 2000-0; on a node: pvesr delete 2000-0")
	require.Equal(t, "running", resource.Text(l.see(nil, &made).Object.Attrs, "status"))
}
