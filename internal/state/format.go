package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

const (
	formatName    = "proximity-state"
	formatVersion = 1
)

// envelope is the state file. Its content is in State, or encrypted in Sealed
// by the box of Header. Checksum is of the content as it stands, State without
// white space. There is one way to write an envelope: other bytes with the
// same meaning are not what was written.
type envelope struct {
	Format   string          `json:"format"`
	Version  int             `json:"version"`
	Checksum string          `json:"checksum"`
	Header   string          `json:"header,omitempty"`
	Sealed   []byte          `json:"sealed,omitempty"`
	State    json.RawMessage `json:"state,omitempty"`
}

func (e envelope) sum() string {
	if e.Header == "" {
		return checksum(e.State)
	}
	return checksum(append([]byte(e.Header+"\n"), e.Sealed...))
}

func (e envelope) text() ([]byte, error) {
	data, err := json.MarshalIndent(e, "", " ")
	return append(data, '\n'), err
}

type fileState struct {
	Lineage string       `json:"lineage"`
	Serial  uint64       `json:"serial"`
	Key     []byte       `json:"key"`
	Objects []fileObject `json:"objects"`
	Open    []fileIntent `json:"open,omitempty"`
	Trail   *trailEnd    `json:"trail,omitempty"`
	Moved   string       `json:"moved,omitempty"`
}

type fileObject struct {
	Addr           addr.Addr       `json:"address"`
	Host           string          `json:"host"`
	ID             string          `json:"id"`
	Nonce          string          `json:"nonce,omitempty"`
	Schema         int             `json:"schema"`
	Attrs          json.RawMessage `json:"attrs"`
	Needs          []addr.Addr     `json:"needs,omitempty"`
	Damaged        bool            `json:"damaged,omitempty"`
	Unfinished     bool            `json:"unfinished,omitempty"`
	PreventDestroy bool            `json:"prevent_destroy,omitempty"`
	Changed        time.Time       `json:"changed"`
	Kept           []string        `json:"kept,omitempty"`
}

type fileIntent struct {
	Seq            uint64          `json:"seq"`
	Addr           addr.Addr       `json:"address"`
	Op             Op              `json:"op"`
	Host           string          `json:"host"`
	ID             string          `json:"id,omitempty"`
	Nonce          string          `json:"nonce,omitempty"`
	Schema         int             `json:"schema,omitempty"` // that Attrs conform to
	Attrs          json.RawMessage `json:"attrs,omitempty"`
	Needs          []addr.Addr     `json:"needs,omitempty"`
	PreventDestroy bool            `json:"prevent_destroy,omitempty"`
	Task           string          `json:"task,omitempty"`
	Earlier        []string        `json:"earlier_tasks,omitempty"`
	At             time.Time       `json:"at"`
	Action         string          `json:"action,omitempty"`
	Plan           string          `json:"plan,omitempty"`
	Edits          json.RawMessage `json:"edits,omitempty"`
	By             By              `json:"by,omitzero"`
}

// codec turns states into files and back. The kinds say what attributes mean.
// With a box it encrypts.
type codec struct {
	store string // named in errors
	kinds map[string]*resource.Kind
	box   Box
}

func (c codec) encode(s *State) ([]byte, error) {
	file := fileState{Lineage: s.Lineage, Serial: s.Serial, Key: s.Key, Objects: []fileObject{}, Moved: s.Moved}
	if s.trail != (trailEnd{}) {
		file.Trail = &s.trail
	}
	for _, a := range slices.SortedFunc(maps.Keys(s.Objects), addr.Compare) {
		o, err := c.encodeObject(s.Objects[a])
		if err != nil {
			return nil, err
		}
		file.Objects = append(file.Objects, o)
	}
	for _, i := range s.Open {
		intent, err := c.encodeIntent(i)
		if err != nil {
			return nil, err
		}
		file.Open = append(file.Open, intent)
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return c.wrap(text)
}

// wrap returns a state file with this content.
func (c codec) wrap(text []byte) ([]byte, error) {
	e := envelope{Format: formatName, Version: formatVersion, State: text}
	if c.box != nil {
		sealed, err := c.box.Seal(text)
		if err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
		e.Header, e.Sealed, e.State = string(c.box.Header()), sealed, nil
	}
	e.Checksum = e.sum()
	return e.text()
}

// content is what a state file holds. Its header and its box are those of the
// file, empty and nil when it is in clear; the box may have another header by
// now.
type content struct {
	state  *State
	header string
	box    Box
}

// decode reads a state file. With an error, there may be a box all the same.
func (c codec) decode(data []byte, vault Vault) (in content, err error) {
	e, err := c.open(data)
	if err != nil {
		return in, err
	}
	text := []byte(e.State)
	if e.Header != "" {
		if vault == nil {
			return in, &ErrSealed{c.store, "no key was given"}
		}
		if in.box, err = vault.Open([]byte(e.Header)); err != nil {
			return in, fmt.Errorf("%s: %w", c.store, err)
		}
		if text, err = in.box.Unseal(e.Sealed); err != nil {
			return in, c.damaged("state file", "what it encrypts was altered")
		}
		in.header = e.Header
	}
	var file fileState
	if err := strict(text, &file); err != nil {
		return in, c.damaged("state file", "%v", err)
	}
	in.state, err = c.fromFile(file)
	return in, err
}

// open reads the envelope, and holds it to be as it was written.
func (c codec) open(data []byte) (envelope, error) {
	var e envelope
	if len(bytes.TrimSpace(data)) == 0 {
		return e, c.damaged("state file", "it is empty")
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, c.damaged("state file", "it is torn, or no JSON")
	}
	if e.Format != formatName {
		return e, c.damaged("state file", "it is not a state of proximity (format %q)", e.Format)
	}
	switch {
	case e.Version > formatVersion:
		return e, &ErrNewer{Store: c.store, Version: e.Version, Have: formatVersion}
	case e.Version < 1:
		return e, c.damaged("state file", "its version %d never was one", e.Version)
	}
	var text bytes.Buffer
	if len(e.State) > 0 {
		if err := json.Compact(&text, e.State); err != nil {
			return e, c.damaged("state file", "it is torn, or no JSON")
		}
		e.State = text.Bytes()
	}
	if e.sum() != e.Checksum {
		return e, c.damaged("state file", "its checksum does not match its content")
	}
	if again, err := e.text(); err != nil || !bytes.Equal(again, data) {
		return e, c.damaged("state file", "it is not as it was written, though its content is")
	}
	return e, nil
}

func (c codec) fromFile(file fileState) (*State, error) {
	s := &State{Lineage: file.Lineage, Serial: file.Serial, Key: file.Key, Objects: map[addr.Addr]resource.Object{}, Moved: file.Moved}
	if file.Trail != nil {
		s.trail = *file.Trail
	}
	for _, fo := range file.Objects {
		o, err := c.decodeObject(fo)
		if err != nil {
			return nil, c.damaged("state file", "%v", err)
		}
		s.Objects[o.Addr] = o
	}
	for _, fi := range file.Open {
		i, err := c.decodeIntent(fi)
		if err != nil {
			return nil, c.damaged("state file", "%v", err)
		}
		s.Open = append(s.Open, i)
	}
	return s, nil
}

// named is an error of the store with its name in front, unless it says that
// by itself.
func (c codec) named(what string, err error) error {
	if strings.HasPrefix(err.Error(), c.store+": ") {
		return err
	}
	return fmt.Errorf("%s: %s%w", c.store, what, err)
}

func (c codec) damaged(what, why string, args ...any) *ErrDamaged {
	return &ErrDamaged{Store: c.store, What: what, Why: fmt.Sprintf(why, args...)}
}

func checksum(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// strict decodes JSON and refuses fields that it does not know.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
