package resource

import (
	"encoding/json"
	"strings"

	"github.com/proximity-cli/proximity/internal/addr"
)

// Marker says whose a guest is. It stands in the guest's notes as an HTML
// comment on a line of its own, so that the Proxmox web page does not show it,
// and is read back before anything is changed or deleted.
type Marker struct {
	Lineage string    `json:"lineage"` // of the state that made it
	Addr    addr.Addr `json:"addr"`
	Nonce   string    `json:"nonce"` // of this one creation
}

const markerStart, markerEnd = "<!-- proximity ", " -->"

// String returns the line as it stands in the notes.
func (m Marker) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		return "" // cannot happen: the fields are text
	}
	// JSON escapes < and >, so no field can close the comment.
	return markerStart + string(text) + markerEnd
}

// Split separates notes into what people wrote, without trailing line ends, and
// the marker; the marker is zero when there is none. Of several the first counts and all are taken out.
func Split(notes string) (string, Marker) {
	var marker Marker
	var rest []string
	for line := range strings.SplitSeq(notes, "\n") {
		text, isMarker := strings.CutPrefix(strings.TrimSpace(line), markerStart)
		text, isClosed := strings.CutSuffix(text, markerEnd)
		var m Marker
		if !isMarker || !isClosed || json.Unmarshal([]byte(text), &m) != nil || m.Lineage == "" {
			rest = append(rest, line)
			continue
		}
		if marker == (Marker{}) {
			marker = m
		}
	}
	return strings.TrimRight(strings.Join(rest, "\n"), "\n"), marker
}

// Join returns notes with the marker as their last line.
func Join(notes string, m Marker) string {
	notes, _ = Split(notes)
	if notes == "" {
		return m.String()
	}
	return notes + "\n\n" + m.String()
}
