package s3

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/state"
)

const (
	headFormat  = "proximity-store"
	headVersion = 1
	// maxHead is more than any head of ours has; what is larger is not one.
	maxHead = 64 << 20
)

// envelope is how a head is written. There is one way to write it: other bytes
// with the same meaning are not what was written.
type envelope struct {
	Format   string          `json:"format"`
	Version  int             `json:"version"`
	Checksum string          `json:"checksum"` // of Store as it stands
	Store    json.RawMessage `json:"store"`
}

// head is all that the store knows; the objects that it names are a part of it.
type head struct {
	// Write is unlike that of any other head, so that no two of them have the
	// same entity tag, and the writer knows its own.
	Write    string    `json:"write"`
	Lock     *holding  `json:"lock,omitempty"`
	Versions []version `json:"versions,omitempty"` // the newest first: it is the state
	Journal  lines     `json:"journal,omitzero"`
	Trail    lines     `json:"trail,omitzero"`
}

// holding is a lock. Only who made the token writes heads that have it.
type holding struct {
	Token  string    `json:"token"`
	Holder state.Who `json:"holder"`
}

// version is a state that was saved.
type version struct {
	Serial uint64    `json:"serial"`
	At     time.Time `json:"at"`
	object
}

// object is one that lies beside the head.
type object struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  string `json:"sum"`
}

// lines is a text that grows by whole lines: segments, then the tail, which
// the head has in itself so that a line costs one write.
type lines struct {
	Segments []object `json:"segments,omitempty"`
	Tail     []byte   `json:"tail,omitempty"`
}

// IsZero reports whether there is no line.
func (l lines) IsZero() bool { return len(l.Segments) == 0 && len(l.Tail) == 0 }

// objects lists all that the head names.
func (h head) objects() []object {
	all := slices.Concat(h.Journal.Segments, h.Trail.Segments)
	for _, v := range h.Versions {
		all = append(all, v.object)
	}
	return all
}

// heldBy reports whether the lock of that token is held. None has nobody's.
func (h head) heldBy(token string) bool {
	return h.Lock != nil && token != nobody && h.Lock.Token == token
}

// nobody is the token of who holds no lock.
const nobody = ""

func (h head) encode() ([]byte, error) {
	content, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return envelope{headFormat, headVersion, sum(content), content}.encode()
}

func (e envelope) encode() ([]byte, error) {
	data, err := json.Marshal(e)
	return append(data, '\n'), err
}

// decode reads a head. The error is *state.ErrDamaged or *state.ErrNewer.
func (s *Store) decode(data []byte) (h head, err error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil || e.Format != headFormat {
		return h, s.beheaded("it is no head of a state: another program wrote it, or it was altered")
	}
	if e.Version > headVersion {
		return h, &state.ErrNewer{Store: s.String(), Version: e.Version, Have: headVersion}
	}
	again, err := e.encode()
	if err != nil || e.Version < 1 || sum(e.Store) != e.Checksum || !bytes.Equal(again, data) {
		return h, s.beheaded("it is not as it was written")
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Store))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return h, s.beheaded("%v", err)
	}
	return h, nil
}

func sum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// unique returns a text that nobody else has.
func unique() string { return strings.ToLower(rand.Text()) }

func (s *Store) beheaded(why string, args ...any) *headless {
	return &headless{s.damaged("head", why, args...), s.config}
}

func (s *Store) damaged(what, why string, args ...any) *state.ErrDamaged {
	return &state.ErrDamaged{Store: s.String(), What: what, Why: fmt.Sprintf(why, args...)}
}
