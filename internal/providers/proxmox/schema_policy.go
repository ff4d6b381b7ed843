package proxmox

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// policyKind describes one backup job of the cluster.
func policyKind() *resource.Kind {
	return &resource.Kind{
		Name:    "backup_policy",
		Version: 1,
		Schema: resource.Block{
			Doc:    "A backup job of Proxmox with its retention, which runs without this program",
			Attrs:  policyAttrs(),
			Blocks: map[string]*resource.Nested{"keep": {Block: keepBlock()}},
		},
		ID:      jobID,
		Rolling: true,
		Judge:   judgePolicy,
		Foresee: func(_ cty.Value, id string) map[string]cty.Value {
			return map[string]cty.Value{"id": cty.StringVal(id)}
		},
	}
}

func policyAttrs() map[string]*resource.Attr {
	attrs := map[string]*resource.Attr{
		"host":              required(ours(text("The host block it belongs to", nil))),
		"schedule":          required(text("When it runs, as a Proxmox calendar event such as 02:30 or mon..fri 22:30", isSchedule)),
		"storage":           required(text("Where the archives go", isID)),
		"mode":              text("How a running container is backed up: snapshot, suspend or stop", oneOf("snapshot", "suspend", "stop")),
		"compress":          text("How archives are compressed: zstd, gzip, lzo or 0 for not at all", oneOf("zstd", "gzip", "lzo", "0")),
		"apps":              set(cty.Number, "The apps it covers", nil),
		"all":               flag("It covers every guest of the host"),
		"exclude":           set(cty.Number, "The apps it leaves out of all", nil),
		"pool":              text("It covers the guests of this pool", isID),
		"node":              text("It runs on this node only", isNode),
		"max_age":           ours(seconds("How old the newest archive of an app may be before that is a fault")),
		"enabled":           flagOr(true, "It runs; false keeps it without running"),
		"comment":           text("A remark shown in the Proxmox list of jobs", isComment),
		"notes_template":    text("The notes of each archive; {{guestname}}, {{node}}, {{vmid}} and {{cluster}} are filled in", isNotes),
		"mail_to":           list("Who gets mail about it", isMailbox),
		"mail_when":         text("When mail is sent: always or failure", oneOf("always", "failure")),
		"notification_mode": text("How Proxmox tells: auto, legacy-sendmail or notification-system", oneOf("auto", "legacy-sendmail", "notification-system")),
		"bandwidth":         number("Limit on reading, in KiB/s; 0 is none", atLeast(0)),
		"protected":         flag("Pruning does not remove its archives"),
		"repeat_missed":     flag("A run that was missed while the node was off is made up for"),
		"id":                computed(cty.String, "The job's name in Proxmox"),
	}
	attrs["apps"].Refers = "app"
	attrs["exclude"].Refers = "app"
	attrs["mode"].Default = cty.StringVal("snapshot")
	attrs["compress"].Default = cty.StringVal("zstd")
	return attrs
}

func keepBlock() resource.Block {
	count := func(doc string) *resource.Attr { return number(doc, atLeast(0)) }
	return resource.Block{Doc: "How many archives of each guest are kept", Attrs: map[string]*resource.Attr{
		"last":    count("The last so many"),
		"hourly":  count("The newest of each of so many hours"),
		"daily":   count("The newest of each of so many days"),
		"weekly":  count("The newest of each of so many weeks"),
		"monthly": count("The newest of each of so many months"),
		"yearly":  count("The newest of each of so many years"),
	}}
}

// templateKind describes a template or image on a storage of one node. It is
// shared by the containers made from it and stays when they go.
func templateKind() *resource.Kind {
	return &resource.Kind{
		Name:    "template",
		Version: 1,
		Lasting: true,
		Schema: resource.Block{
			Doc: "What containers are made from, on one storage",
			Attrs: map[string]*resource.Attr{
				"host":     required(ours(text("The host block it belongs to", nil))),
				"node":     required(text("The node that downloads it", isNode)),
				"storage":  required(text("The storage it lies on", isID)),
				"template": text("A template's name or volume id", isSpec),
				"image":    text("An OCI image with its tag", isImage),
				"volume":   computed(cty.String, "Its volume id"),
			},
		},
	}
}
