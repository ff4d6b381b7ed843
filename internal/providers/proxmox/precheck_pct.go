package proxmox

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// pctLines writes the commands that do on the node what the API does not let a
// token do. Slots are those the container has, or will have.
type pctLines struct {
	id    string
	want  cty.Value
	slots map[string]string // by block and label
	taken map[string]string // all slots
}

func newPctLines(proposal providers.Proposal) *pctLines {
	l := &pctLines{id: proposal.ID, want: proposal.Want.Want, slots: map[string]string{}, taken: map[string]string{}}
	has := proposal.Live
	if proposal.Create {
		has = proposal.Want.Want // its slots are given in the order of a create
	}
	for _, b := range []struct{ block, word string }{{"volume", "mp"}, {"bind", "mp"}, {"device", "dev"}} {
		for _, label := range sortedLabels(has, b.block) {
			slot := resource.Text(element(has, b.block, label), "slot")
			if slot == "" {
				slot = freeSlot(l.taken, b.word)
			}
			l.slots[b.block+" "+label], l.taken[slot] = slot, label
		}
	}
	return l
}

// slot returns the slot of a block, a free one when it has none yet.
func (l *pctLines) slot(block, label, word string) string {
	key := block + " " + label
	if l.slots[key] == "" {
		l.slots[key] = freeSlot(l.taken, word)
		l.taken[l.slots[key]] = label
	}
	return l.slots[key]
}

// of returns the command that brings what a path leads to where it is wanted.
func (l *pctLines) of(path resource.Path) string {
	key, line := path[0], pve.ParseLine("", "")
	switch path[0] {
	case "features":
		setFields(&line, featureKeys, resource.Attribute(l.want, "features"))
	case "hook":
		key, line = "hookscript", pve.ParseLine(resource.Text(l.want, "hook"), "volume")
	case "device":
		key = l.slot("device", path[1], "dev")
		if device := element(l.want, "device", path[1]); !device.IsNull() {
			line = newDeviceLine(path[1], device)
		}
	case "bind":
		key = l.slot("bind", path[1], "mp")
		if bind := element(l.want, "bind", path[1]); !bind.IsNull() {
			line = newBindLine(path[1], bind)
		}
	}
	if text := line.String(); text != "" {
		return fmt.Sprintf("pct set %s --%s %s", l.id, key, quoted(text))
	}
	return fmt.Sprintf("pct set %s --delete %s", l.id, key)
}

// quoted writes a word for a shell.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/,=:._-@") == "" && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
