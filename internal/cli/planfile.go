package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/state"
)

const (
	planFormat     = "proximity-plan"
	planVersion    = 2
	maxPlanFile    = 64 << 20
	maxPlanSources = 200
)

// planFile is a plan to be carried out later, with all it was made from. It
// holds no sensitive value that does not stand in its sources.
type planFile struct {
	Program     string         `json:"program"` // the version that wrote it
	Sources     config.Sources `json:"sources"`
	Select      plan.Selection `json:"select"`
	Plan        plan.Document  `json:"plan"`
	Fingerprint string         `json:"fingerprint"`
}

// planHead is the first line of a plan file. What follows is a planFile as JSON,
// sealed by the box of Header if there is one. The checksum is of the header and
// of what follows, so that no byte can change unseen.
type planHead struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	Checksum string `json:"checksum"`
	Header   string `json:"header,omitempty"`
}

func (h planHead) line() []byte {
	text, err := json.Marshal(h)
	if err != nil {
		return nil // cannot happen: the fields are text and a number
	}
	return append(text, '\n')
}

func planChecksum(header string, body []byte) string {
	h := sha256.New()
	h.Write(append([]byte(header), '\n'))
	h.Write(body)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// writePlanFile writes a plan that only its owner can read, encrypted when there
// is a vault. The file appears whole or not at all.
func writePlanFile(name string, f planFile, vault state.Vault) error {
	data, err := encodePlanFile(f, vault)
	if err == nil {
		err = failpoint.Around("cli: write a plan file", func() error {
			return renameio.WriteFile(name, data, 0o600, renameio.IgnoreUmask())
		})
	}
	if err != nil {
		return fmt.Errorf("plan file %q: %w", name, plainCause(err))
	}
	return nil
}

func encodePlanFile(f planFile, vault state.Vault) ([]byte, error) {
	if n := len(f.Sources.Files); n > maxPlanSources {
		return nil, fmt.Errorf("the configuration has %d files, and a plan file holds at most %d", n, maxPlanSources)
	}
	f.Program, f.Fingerprint = version(), f.Plan.Fingerprint()
	body, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	head := planHead{Format: planFormat, Version: planVersion}
	if vault != nil {
		box, err := vault.New()
		if err != nil {
			return nil, err
		}
		if body, err = box.Seal(body); err != nil {
			return nil, err
		}
		head.Header = string(box.Header())
	}
	head.Checksum = planChecksum(head.Header, body)
	data := append(head.line(), body...)
	if len(data) > maxPlanFile {
		return nil, fmt.Errorf("it would be larger than %d MiB", maxPlanFile>>20)
	}
	return data, nil
}

// planFileStart is what every plan file begins with.
const planFileStart = `{"format":"` + planFormat + `"`

// mayWritePlanFile refuses what a plan must not replace, before any work: only
// another plan, or an empty file, is written over.
func mayWritePlanFile(name string) error {
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return fmt.Errorf("plan file %q: %w", name, plainCause(err))
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("plan file %q: %w", name, plainCause(err))
	case info.Mode().IsRegular() && info.Size() == 0:
		return nil
	case info.Mode().IsRegular():
		if file, err := os.Open(name); err == nil {
			defer file.Close()
			start := make([]byte, len(planFileStart))
			if _, err := io.ReadFull(file, start); err == nil && string(start) == planFileStart {
				return nil
			}
		}
	}
	return fmt.Errorf("plan file %q: something else has this name; choose another one", name)
}

// plainCause takes the operation and the path off an error whose text names
// the file by itself.
func plainCause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// readPlanFile reads what writePlanFile wrote, with the keys at hand.
func (a *app) readPlanFile(name string) (planFile, error) {
	f, err := a.openPlanFile(name)
	if err != nil {
		return planFile{}, fmt.Errorf("plan file %q: %w", name, plainCause(err))
	}
	return f, nil
}

func (a *app) openPlanFile(name string) (planFile, error) {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return planFile{}, err
	case !info.Mode().IsRegular():
		return planFile{}, errors.New("it is a link, or no file at all")
	}
	file, err := os.Open(name)
	if err != nil {
		return planFile{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPlanFile+1))
	if err != nil {
		return planFile{}, err
	}
	f, err := decodePlanFile(data, a.vaultAtHand)
	var known *exit // the keys cannot be read, which says what to do by itself
	if err != nil && bytes.HasPrefix(data, []byte(planFileStart)) && !errors.As(err, &known) && !errors.As(err, new(*state.ErrSealed)) {
		err = hinted{err, "proximity plan --out " + pasted(name)}
	}
	return f, err
}

// decodePlanFile reads a plan file. Keys are only asked for when it is encrypted.
func decodePlanFile(data []byte, keys func() (state.Vault, error)) (planFile, error) {
	if len(data) > maxPlanFile {
		return planFile{}, fmt.Errorf("it is larger than %d MiB", maxPlanFile>>20)
	}
	head, body, err := splitPlanFile(data)
	if err == nil && head.Header != "" {
		body, err = unsealed(head, body, keys)
	}
	if err != nil {
		return planFile{}, err
	}
	var f planFile
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return planFile{}, err
	}
	return f, f.check()
}

var errNoPlan = errors.New("it is not a plan of proximity, or only a part of one")

// splitPlanFile returns the first line and the rest, when both are just as they
// were written.
func splitPlanFile(data []byte) (planHead, []byte, error) {
	line, body, isCut := bytes.Cut(data, []byte("\n"))
	var head planHead
	if err := json.Unmarshal(line, &head); err != nil || head.Format != planFormat || !isCut && head.Version == planVersion {
		return head, nil, errNoPlan
	}
	if head.Version != planVersion {
		return head, nil, fmt.Errorf("its format has version %d, and this program knows %d; plan again", head.Version, planVersion)
	}
	if !bytes.Equal(head.line(), data[:len(line)+1]) || head.Checksum != planChecksum(head.Header, body) {
		return head, nil, errors.New("its content was changed after it was written, or a part is missing")
	}
	return head, body, nil
}

func unsealed(head planHead, body []byte, keys func() (state.Vault, error)) ([]byte, error) {
	vault, err := keys()
	if err != nil {
		return nil, err
	}
	if vault == nil {
		return nil, &state.ErrSealed{Why: "no key was given"}
	}
	box, err := vault.Open([]byte(head.Header))
	if err != nil {
		return nil, err
	}
	return box.Unseal(body)
}

// check refuses what no plan of ours holds.
func (f planFile) check() error {
	if n := len(f.Sources.Files); n > maxPlanSources {
		return fmt.Errorf("it holds %d files, at most %d are allowed", n, maxPlanSources)
	}
	for _, path := range slices.Concat(slices.Sorted(maps.Keys(f.Sources.Files)), f.Sources.Listed) {
		if !fs.ValidPath(path) {
			return fmt.Errorf("it holds the file %q, which lies outside of a configuration", path)
		}
	}
	if f.Plan.Fingerprint() != f.Fingerprint || f.Plan.Base.Config != f.Sources.Hash() {
		return errors.New("its content was changed after it was written")
	}
	return nil
}

// staleness says how a plan that was made anew differs from a saved one, or
// returns "" when both would do the same.
func staleness(saved, fresh plan.Document) string {
	switch {
	case saved.Base.Lineage != fresh.Base.Lineage:
		return "it was made for another state"
	case saved.Base.Serial != fresh.Base.Serial:
		return fmt.Sprintf("the state has changed since (serial %d, now %d)", saved.Base.Serial, fresh.Base.Serial)
	case saved.Fingerprint() == fresh.Fingerprint():
		return ""
	}
	was, is := byAddress(saved), byAddress(fresh)
	for _, c := range fresh.Changes {
		if a := c.Addr.String(); was[a] != is[a] {
			why := ""
			if saved.Seen[a] != fresh.Seen[a] && was[a] != "" {
				why = ": it was changed on its host since"
			}
			return a + " would now be carried out differently" + why
		}
	}
	for _, c := range saved.Changes {
		if _, still := is[c.Addr.String()]; !still {
			return c.Addr.String() + " needs no change any more"
		}
	}
	return "it would be carried out differently now"
}

// byAddress returns the text of each change.
func byAddress(doc plan.Document) map[string]string {
	texts := make(map[string]string, len(doc.Changes))
	for _, c := range doc.Changes {
		text, err := json.Marshal(c)
		if err != nil {
			continue // cannot happen: a change is plain data
		}
		texts[c.Addr.String()] = string(text)
	}
	return texts
}
