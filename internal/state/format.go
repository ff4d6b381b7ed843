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

	"github.com/zclconf/go-cty/cty"

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

func (c codec) encodeObject(o resource.Object) (fileObject, error) {
	attrs, err := c.encodeAttrs(o.Addr, o.Attrs)
	return fileObject{
		Addr: o.Addr, Host: o.Host, ID: o.ID, Nonce: o.Nonce, Schema: o.Schema, Attrs: attrs, Needs: o.Needs,
		Damaged: o.Damaged, Unfinished: o.Unfinished, PreventDestroy: o.PreventDestroy, Changed: o.Changed, Kept: o.Kept,
	}, err
}

func (c codec) decodeObject(f fileObject) (resource.Object, error) {
	kind, err := c.kind(f.Addr)
	if err != nil {
		return resource.Object{}, err
	}
	attrs, err := c.decodeAttrs(f.Addr, f.Schema, f.Attrs)
	return resource.Object{
		Addr: f.Addr, Host: f.Host, ID: f.ID, Nonce: f.Nonce, Schema: kind.Version, Attrs: attrs, Needs: f.Needs,
		Damaged: f.Damaged, Unfinished: f.Unfinished, PreventDestroy: f.PreventDestroy, Changed: f.Changed, Kept: f.Kept,
	}, err
}

func (c codec) encodeIntent(i Intent) (fileIntent, error) {
	f := fileIntent{
		Seq: i.Seq, Addr: i.Addr, Op: i.Op, Host: i.Host, ID: i.ID, Nonce: i.Nonce, Needs: i.Needs,
		PreventDestroy: i.PreventDestroy, Task: i.Task, Earlier: i.Earlier, At: i.At,
		Action: i.Action, Plan: i.Plan, Edits: i.Edits, By: i.By,
	}
	if i.Attrs == cty.NilVal {
		return f, nil
	}
	kind, err := c.kind(i.Addr)
	if err != nil {
		return f, err
	}
	f.Schema = kind.Version
	f.Attrs, err = c.encodeAttrs(i.Addr, i.Attrs)
	return f, err
}

func (c codec) decodeIntent(f fileIntent) (Intent, error) {
	i := Intent{
		Seq: f.Seq, Addr: f.Addr, Op: f.Op, Host: f.Host, ID: f.ID, Nonce: f.Nonce, Needs: f.Needs,
		PreventDestroy: f.PreventDestroy, Task: f.Task, Earlier: f.Earlier, At: f.At,
		Action: f.Action, Plan: f.Plan, Edits: f.Edits, By: f.By,
	}
	if len(f.Attrs) == 0 {
		return i, nil
	}
	var err error
	i.Attrs, err = c.decodeAttrs(f.Addr, f.Schema, f.Attrs)
	return i, err
}

func (c codec) kind(a addr.Addr) (*resource.Kind, error) {
	if kind := c.kinds[a.Kind]; kind != nil {
		return kind, nil
	}
	return nil, fmt.Errorf("%s: this version has no kind %q", a, a.Kind)
}

func (c codec) encodeAttrs(a addr.Addr, v cty.Value) (json.RawMessage, error) {
	kind, err := c.kind(a)
	if err != nil {
		return nil, err
	}
	if c.box == nil && kind.Schema.HasSecret(v) {
		return nil, fmt.Errorf("%s: its value is kept only where state is encrypted", a)
	}
	attrs, err := kind.Schema.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return attrs, nil
}

func (c codec) decodeAttrs(a addr.Addr, version int, data json.RawMessage) (cty.Value, error) {
	kind, err := c.kind(a)
	if err != nil {
		return cty.NilVal, err
	}
	if version > kind.Version {
		return cty.NilVal, fmt.Errorf("%s: recorded by a newer version of the program", a)
	}
	if data, err = migrate(kind, version, data); err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", a, err)
	}
	v, err := kind.Schema.Decode(data)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", a, err)
	}
	return v, nil
}

// migrate brings recorded attributes to the kind's present form.
func migrate(kind *resource.Kind, version int, data json.RawMessage) (json.RawMessage, error) {
	if version == kind.Version || kind.Migrate == nil {
		return data, nil
	}
	var attrs map[string]any
	if err := json.Unmarshal(data, &attrs); err != nil {
		return nil, err
	}
	for ; version < kind.Version; version++ {
		attrs = kind.Migrate(version, attrs)
	}
	return json.Marshal(attrs)
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
