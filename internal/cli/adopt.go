package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

type adoptFlags struct{ all, file string }

func (a *app) adoptCommand() *cobra.Command {
	var f adoptFlags
	cmd := &cobra.Command{
		Use:   "adopt HOST/VMID ADDRESS | adopt --all HOST",
		Short: "Take existing containers under control",
		Long: `Adopt writes the configuration that asks for just what is there, gives the
containers the marker of this program in their notes, and records them. It
changes nothing else, and the next plan is empty. With an address that the
configuration has already, it takes the container over for that block, and the
plan shows what would be changed.`,
		Example: `  proximity adopt pve/105 app.web
  proximity adopt --all pve --file lab.hcl`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case f.all != "" && len(args) > 0:
				return errors.New("with --all no further argument is expected")
			case f.all == "" && len(args) != 2:
				return errors.New("a guest such as pve/105 and an address such as app.web are expected")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.adopt(f, args) },
	}
	cmd.Flags().StringVar(&f.all, "all", "", "take over every container of `HOST` that nobody has yet")
	cmd.Flags().StringVar(&f.file, "file", "adopted.hcl", "write the configuration to `FILE`, after what is there")
	return cmd
}

// adoption is what is about to be taken over: the text that asks for it, and
// which guest is which.
type adoption struct {
	file    string
	before  []byte // what the file had when it was read
	content []byte // of the whole file; nil: nothing is to be written
	blocks  []byte // what is new in it
	guests  map[addr.Addr]string
}

func (a *app) adopt(f adoptFlags, args []string) error {
	if err := a.mustBeAbleToAsk(); err != nil {
		return err
	}
	if f.file != filepath.Base(f.file) || !strings.HasSuffix(f.file, ".hcl") {
		return &exit{exitUsage, fmt.Errorf("--file %q: it has to be a name ending in .hcl in the configuration's directory", f.file)}
	}
	e, err := a.engine(nil)
	if err != nil {
		return err
	}
	defer e.close()
	ad, err := e.prepare(f, args)
	if err != nil || len(ad.guests) == 0 {
		return err
	}
	if err := e.reload(ad); err != nil {
		return err
	}
	sel := plan.Selection{Targets: slices.SortedFunc(maps.Keys(ad.guests), addr.Compare), Adopt: ad.guests}
	return e.converge(sel, func(ctx context.Context, p proposal) error {
		if err := e.showAdoption(ad); err != nil {
			return err
		}
		if err := a.showPlan(p, ""); err != nil || p.plan.Empty() {
			return err
		}
		if err := a.approve(ctx, "Take these containers over?"); err != nil {
			return err
		}
		return ad.write()
	})
}

// prepare finds out what is to be taken over, and writes the blocks for it in
// memory.
func (e *engine) prepare(f adoptFlags, args []string) (adoption, error) {
	ad := adoption{file: f.file, guests: map[addr.Addr]string{}}
	host, ids := f.all, []string(nil)
	if f.all == "" {
		id := ""
		host, id, _ = strings.Cut(args[0], "/")
		ids = []string{id}
		if id == "" {
			return ad, &exit{exitUsage, fmt.Errorf("%q: write the guest as HOST/VMID, such as pve/105", args[0])}
		}
	}
	adopter, ok := e.hosts[host].(providers.Adopter)
	if !ok {
		return ad, hinted{fmt.Errorf("there is no host %q in the configuration", host),
			"there are: " + strings.Join(slices.Sorted(maps.Keys(e.hosts)), ", ")}
	}
	found, err := adopter.Adoptable(e.soft, ids)
	if err != nil {
		return ad, fmt.Errorf("host %q: %w", host, err)
	}
	if f.all == "" {
		return ad, e.declare(&ad, host, args[1], found[0])
	}
	return ad, e.declareAll(&ad, host, found)
}

// declare is for one guest and the address that a person gives it.
func (e *engine) declare(ad *adoption, host, address string, c providers.Candidate) error {
	a, err := addr.Parse(address)
	if err != nil || a.Kind != "app" || a.Part != "" {
		return &exit{exitUsage, fmt.Errorf("%q is no address of an app; write it like app.web", address)}
	}
	st, err := state.Read(e.soft, e.store, e.options())
	if err != nil {
		return err
	}
	if why := obstacle(c, host, st); why != "" {
		err := fmt.Errorf("guest %s on host %q cannot be taken over: %s", c.ID, host, why)
		if isOfAnother(c, st) {
			return hinted{err, "leave it to the state that it belongs to; if that is lost,\ntake the line <!-- proximity … --> out of its notes, and adopt again"}
		}
		return err
	}
	ad.guests[a] = c.ID
	switch {
	case e.config.Has(a):
		return e.mustBeOn(host, a)
	case a.Key != "":
		return hinted{fmt.Errorf("%s has no block yet, and adopt writes none with instances", a), "write the block, then adopt again"}
	}
	return ad.add(config.Write(e.kinds["app"], a, c.Want, e.config.Hosts[host], remarks(c)))
}

// mustBeOn refuses an address that is written already, but for another host,
// where the guest would be looked for in vain or another one of its number be
// found, or as a block with instances, none of which would take it.
func (e *engine) mustBeOn(host string, a addr.Addr) error {
	var instances []string
	for _, r := range e.config.Resources {
		switch {
		case r.Addr == a && r.Host == host:
			return nil
		case r.Addr == a:
			return fmt.Errorf("%s lives on host %q, and the guest is on host %q", a, r.Host, host)
		case r.Addr.Block() == a.Block():
			instances = append(instances, r.Addr.String())
		}
	}
	return hinted{fmt.Errorf("%s is none of its block's instances", a), "there are: " + strings.Join(instances, ", ")}
}

// declareAll is for every guest of a host, with addresses made of their names.
func (e *engine) declareAll(ad *adoption, host string, found []providers.Candidate) error {
	st, err := state.Read(e.soft, e.store, e.options())
	if err != nil {
		return err
	}
	for _, c := range found {
		if isRecorded(host, c.ID, st) {
			continue
		}
		if why := obstacle(c, host, st); why != "" {
			e.say(fmt.Sprintf("%s %s is left out: %s", c.ID, c.Name, why))
			continue
		}
		if a, asks := e.config.Asking(host, c.ID); asks { // an earlier adopt was cut short
			ad.guests[a] = c.ID
			continue
		}
		if c.Marker != (resource.Marker{}) && e.config.Has(c.Marker.Addr) {
			ad.guests[c.Marker.Addr] = c.ID
			continue
		}
		a := e.addressFor(ad, c)
		ad.guests[a] = c.ID
		if err := ad.add(config.Write(e.kinds["app"], a, c.Want, e.config.Hosts[host], remarks(c))); err != nil {
			return err
		}
	}
	if len(ad.guests) == 0 {
		e.say(fmt.Sprintf("There is nothing to take over on host %q.", host))
	}
	return nil
}

// obstacle says why a guest cannot be taken over, or nothing. What carries a
// marker of this very state can when nothing is recorded of it: the state was
// made to forget it.
func obstacle(c providers.Candidate, host string, st *state.State) string {
	if c.Marker != (resource.Marker{}) && (isOfAnother(c, st) || isRecorded(host, c.ID, st)) {
		return fmt.Sprintf("it carries a marker of this program already, as %s", c.Marker.Addr)
	}
	return c.Why
}

func isRecorded(host, id string, st *state.State) bool {
	for _, o := range st.Objects {
		if o.Addr.Kind == "app" && o.Host == host && o.ID == id {
			return true
		}
	}
	return false
}

// isOfAnother reports whether a guest carries a marker, and of another state.
func isOfAnother(c providers.Candidate, st *state.State) bool {
	return c.Marker != (resource.Marker{}) && c.Marker.Lineage != st.Lineage
}

// addressFor makes an address of a guest's name, or of its number where the
// name is no word or is taken.
func (e *engine) addressFor(ad *adoption, c providers.Candidate) addr.Addr {
	name, _, _ := strings.Cut(strings.ToLower(c.Name), ".")
	a, err := addr.Parse("app." + name)
	if err != nil || a.Key != "" || a.Part != "" {
		a = addr.New("app", "ct-"+c.ID)
	}
	if _, taken := ad.guests[a]; taken || e.config.Has(a) {
		a.Name += "-" + c.ID
	}
	return a
}

func remarks(c providers.Candidate) []string {
	if len(c.Kept) == 0 {
		return nil
	}
	return append([]string{"There as well, not managed, and left as it is:"}, c.Kept...)
}

// add puts a block behind what the file has.
func (ad *adoption) add(block []byte) error {
	if ad.content == nil {
		var err error
		if ad.before, err = ad.read(); err != nil {
			return err
		}
		ad.content = slices.Clone(ad.before)
	}
	if len(bytes.TrimSpace(ad.content)) > 0 {
		ad.content = append(bytes.TrimRight(ad.content, "\n"), "\n\n"...)
	}
	if len(ad.blocks) > 0 {
		ad.blocks = append(ad.blocks, '\n')
	}
	ad.content, ad.blocks = append(ad.content, block...), append(ad.blocks, block...)
	return nil
}

// read returns what the file has; nothing when it is not there.
func (ad *adoption) read() ([]byte, error) {
	there, err := os.ReadFile(ad.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%q: %w", ad.file, plainCause(err))
	}
	return there, nil
}

// write makes the file as it was shown, unless somebody has changed it while the
// plan was being read. It is there before anything is taken over: what state
// records and no file asks for would be deleted.
func (ad *adoption) write() error {
	if ad.content == nil {
		return nil
	}
	now, err := ad.read()
	switch {
	case err != nil:
		return err
	case !bytes.Equal(now, ad.before):
		return hinted{fmt.Errorf("%q was changed meanwhile", ad.file), "run adopt again"}
	}
	err = failpoint.Around("cli: write the blocks of adopted containers", func() error {
		return renameio.WriteFile(ad.file, ad.content, 0o644)
	})
	if err != nil {
		return fmt.Errorf("%q: %w", ad.file, plainCause(err))
	}
	return nil
}

// reload loads the configuration as it will be with the new blocks.
func (e *engine) reload(ad adoption) error {
	if ad.content == nil {
		return nil
	}
	return e.load(nil, map[string][]byte{ad.file: ad.content})
}

func (e *engine) showAdoption(ad adoption) error {
	switch {
	case ad.content == nil:
		return nil
	case e.json:
		e.lines.Object("adoption", map[string]any{"file": ad.file, "content": string(ad.blocks)})
		return e.lines.Err()
	}
	return e.print(fmt.Sprintf("%s will have:\n\n%s\n", ad.file, ui.CleanLines(string(ad.blocks))))
}
