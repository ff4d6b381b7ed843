package httpstore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/state"
)

// foreignVersion stands where Terraform has the version of its own format. It
// is one that Terraform never had: it refuses what it finds here and leaves it
// alone.
const foreignVersion = 1000

// formatVersion is that of what lies under "proximity".
const formatVersion = 1

// document is the one thing that a server keeps. Serial is how often it was
// written, which GitLab takes for the number of a version: it grows with every
// write. There is one way to write a document: other bytes with the same
// meaning are not what was written.
type document struct {
	Version   int     `json:"version"`
	Serial    uint64  `json:"serial"`
	Proximity content `json:"proximity"`
}

// content is what a store keeps. The newest version is the state itself.
type content struct {
	Format   int       `json:"format"`
	Checksum string    `json:"checksum"`
	By       string    `json:"by"` // the holding of the lock that wrote it
	Versions []version `json:"versions,omitempty"`
	Journal  segments  `json:"journal,omitempty"`
	Trail    segments  `json:"trail,omitempty"`
}

// version is a state as it was saved, its newest first.
type version struct {
	Serial uint64    `json:"serial"`
	At     time.Time `json:"at"`
	State  segment   `json:"state"`
}

// encode returns the document as text, with its checksum: that of the text
// without one.
func (d document) encode() ([]byte, error) {
	d.Version, d.Proximity.Format, d.Proximity.Checksum = foreignVersion, formatVersion, ""
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	const empty = `"checksum":""`
	filled := `"checksum":"sha256:` + hex.EncodeToString(sum[:]) + `"`
	return bytes.Replace(text, []byte(empty), []byte(filled), 1), nil
}

// decode reads a document. What is not one, or not as it was written, is
// *state.ErrDamaged. One that was altered and is ours all the same comes with
// the error, for what can be saved of it.
func decode(store string, text []byte) (document, error) {
	var d document
	damaged := func(why string) (document, error) {
		return d, &state.ErrDamaged{Store: store, What: "state file", Why: why}
	}
	var seen struct {
		TerraformVersion string `json:"terraform_version"`
		Proximity        *struct {
			Format int `json:"format"`
		} `json:"proximity"`
	}
	switch err := json.Unmarshal(text, &seen); {
	case len(bytes.TrimSpace(text)) == 0:
		return damaged("it is empty")
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")):
		return damaged("it is a web page")
	case err != nil:
		return damaged("it is torn, or no JSON")
	case seen.Proximity == nil && seen.TerraformVersion != "":
		return damaged(fmt.Sprintf("it is a state of Terraform %s, not of proximity", seen.TerraformVersion))
	case seen.Proximity == nil:
		return damaged("it is not a state of proximity")
	case seen.Proximity.Format > formatVersion:
		return d, &state.ErrNewer{Store: store, Version: seen.Proximity.Format, Have: formatVersion}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		d = document{}
		return damaged("it was altered")
	}
	if again, err := d.encode(); err != nil || !bytes.Equal(again, text) {
		return damaged("it is not as it was written: it was altered, or the server rewrites what it keeps")
	}
	return d, nil
}

// isOurs tells a document, altered or not, from what is none.
func (d document) isOurs() bool { return d.Proximity.Format == formatVersion }

// files returns what the next run needs. With an error it is what can be read.
func (d document) files() (files state.Files, err error) {
	var unreadable error
	if len(d.Proximity.Versions) > 0 {
		files.State, unreadable = d.Proximity.Versions[0].State.open()
		err = cmp.Or(err, unreadable)
	}
	files.Journal, unreadable = d.Proximity.Journal.open()
	err = cmp.Or(err, unreadable)
	files.Last, unreadable = d.Proximity.Trail.last()
	return files, cmp.Or(err, unreadable)
}

// versions returns the states that were saved, the newest first. Each says by
// itself whether it is as it was written: one that cannot even be unpacked is
// left out.
func (d document) versions() []state.Version {
	var all []state.Version
	for _, v := range d.Proximity.Versions {
		if text, err := v.State.open(); err == nil {
			all = append(all, state.Version{Serial: v.Serial, At: v.At, State: text})
		}
	}
	return all
}

// appended returns the document with a line more in the journal.
func (d document) appended(line []byte) (document, error) {
	var err error
	d.Proximity.Journal, err = d.Proximity.Journal.with(line)
	return d, err
}

// saved returns the document after a save.
func (d document) saved(s state.Snapshot, now time.Time) (document, error) {
	text, err := pack(s.State)
	if err != nil {
		return d, err
	}
	d.Proximity.Journal = nil
	all := append([]version{{s.Serial, now.UTC().Truncate(time.Second), text}}, d.Proximity.Versions...)
	d.Proximity.Versions = all[:min(len(all), state.KeptVersions)]
	if len(s.Trail) > 0 {
		d.Proximity.Trail, err = d.Proximity.Trail.with(s.Trail)
	}
	return d, err
}

// lastLine returns the last of whole lines, without its line break.
func lastLine(lines string) string {
	lines = strings.TrimSuffix(lines, "\n")
	return lines[strings.LastIndexByte(lines, '\n')+1:]
}
