package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/plan"
)

const (
	planFormat     = "proximity-plan"
	planVersion    = 1
	maxPlanFile    = 64 << 20
	maxPlanSources = 10_000
)

// planFile is a plan to be carried out later, with all it was made from. It
// holds no sensitive value.
type planFile struct {
	Format      string         `json:"format"`
	Version     int            `json:"version"`
	Program     string         `json:"program"` // the version that wrote it
	Sources     config.Sources `json:"sources"`
	Select      plan.Selection `json:"select"`
	Plan        plan.Document  `json:"plan"`
	Fingerprint string         `json:"fingerprint"`
}

// writePlanFile writes a plan that only its owner can read. The file appears
// whole or not at all.
func writePlanFile(name string, f planFile) error {
	f.Format, f.Version, f.Program, f.Fingerprint = planFormat, planVersion, version(), f.Plan.Fingerprint()
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("plan file %q: %w", name, err)
	}
	err = failpoint.Around("cli: write a plan file", func() error {
		return renameio.WriteFile(name, append(text, '\n'), 0o600, renameio.IgnoreUmask())
	})
	if err != nil {
		return fmt.Errorf("plan file %q: %w", name, err)
	}
	return nil
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

// readPlanFile reads what writePlanFile wrote.
func readPlanFile(name string) (planFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return planFile{}, fmt.Errorf("plan file %q: %w", name, plainCause(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPlanFile+1))
	if err != nil {
		return planFile{}, fmt.Errorf("plan file %q: %w", name, plainCause(err))
	}
	f, err := decodePlanFile(data)
	if err != nil {
		return planFile{}, fmt.Errorf("plan file %q: %w", name, err)
	}
	return f, nil
}

func decodePlanFile(data []byte) (planFile, error) {
	var f planFile
	if len(data) > maxPlanFile {
		return f, fmt.Errorf("it is larger than %d MiB", maxPlanFile>>20)
	}
	var known struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(data, &known); err != nil || known.Format != planFormat {
		return f, fmt.Errorf("it is not a plan of proximity, or only a part of one")
	}
	if known.Version != planVersion {
		return f, fmt.Errorf("its format has version %d, and this program knows %d; plan again", known.Version, planVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return f, err
	}
	if len(f.Sources.Files) > maxPlanSources {
		return f, fmt.Errorf("it holds %d files, at most %d are allowed", len(f.Sources.Files), maxPlanSources)
	}
	for path := range f.Sources.Files {
		if !fs.ValidPath(path) {
			return f, fmt.Errorf("it holds the file %q, which lies outside of a configuration", path)
		}
	}
	if f.Plan.Fingerprint() != f.Fingerprint {
		return f, fmt.Errorf("its content was changed after it was written")
	}
	return f, nil
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
		if was[c.Addr.String()] != is[c.Addr.String()] {
			return c.Addr.String() + " would now be carried out differently"
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
