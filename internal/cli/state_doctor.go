package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check all that is kept, and tell how to put it right",
		Long: `Doctor reads everything that is kept: the state file, its journal, its versions,
the trail and the lock. It says in plain words what is wrong, what is lost by it
and what to type. It changes nothing itself. Exit code 1 tells that something
is wrong.`,
		Example: "  proximity state doctor",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.withKeeper(func(e *engine) error { return e.diagnose() })
		},
	}
}

// finding is what doctor tells of one part.
type finding struct {
	part  string
	wrong bool
	text  string // how it is
	lost  string // what is lost by that; empty: nothing
	hint  string // what to type
}

func (e *engine) diagnose() error {
	x, err := state.Examine(e.soft, e.store, e.options())
	if err != nil {
		return err
	}
	checks := []finding{checkState(x), checkJournal(x)}
	checks = append(checks, checkVersions(x)...)
	checks = append(checks, checkTrail(x), checkLock(x))
	checks = append(checks, checkFiles(x)...)
	checks = append(checks, e.checkErrored(x)...)
	isWrong := false
	for _, c := range checks {
		isWrong = isWrong || c.wrong
	}
	if err := e.showChecks(checks, isWrong); err != nil {
		return err
	}
	if isWrong {
		return &exit{code: exitError}
	}
	return nil
}

func checkState(x *state.Examination) finding {
	c := finding{part: "state file"}
	best := x.Best()
	switch {
	case x.IsEmpty():
		c.text = "nothing is kept yet"
		return c
	case x.StateErr == nil && x.State.Moved != "":
		c.wrong, c.text = true, "this state was moved to "+x.State.Moved+" and goes on there"
		c.hint = "write that place into the state block"
		return c
	case x.StateErr == nil:
		c.text = fmt.Sprintf("sound: serial %d, %s", x.State.Serial, ui.Plural(len(x.State.Objects), "record"))
		return c
	}
	c.wrong, c.text = true, why(x.StateErr)
	var hinter ui.Hinter
	switch {
	case best == nil && errors.As(x.StateErr, &hinter): // the store knows better
		c.lost, c.hint = "all that it recorded, as far as the store can tell", hinter.Hint()
	case best == nil:
		c.lost = "all that it recorded, since no version can be read either"
		c.hint = "from a backup: proximity state push FILE --force\n" +
			"without one, move the file away, and take each container back: proximity adopt HOST/VMID ADDRESS"
	case x.State != nil && x.State.Serial == best.Serial:
		c.lost = "nothing"
		c.hint = fmt.Sprintf("proximity state restore %d   (the version that was saved with it)", best.Serial)
	default:
		c.lost = fmt.Sprintf("what was recorded after serial %d, saved %s; what was made since is found again by its marker while its block is there",
			best.Serial, best.At.Local().Format(time.DateTime))
		c.hint = fmt.Sprintf("proximity state restore %d", best.Serial)
	}
	return c
}

// why returns what is wrong with a file, without the file's name.
func why(err error) string {
	var damaged *state.ErrDamaged
	if errors.As(err, &damaged) {
		return damaged.Why
	}
	return err.Error()
}

func checkJournal(x *state.Examination) finding {
	c := finding{part: "journal", text: "empty: no run is open"}
	open := ui.Plural(len(x.Open), "step")
	switch {
	case x.JournalErr != nil:
		c.wrong, c.text, c.lost = true, why(x.JournalErr), "nothing"
		if x.Lost > 0 {
			c.lost = ui.Plural(x.Lost, "line") + " that cannot be read; what a run did in them has to be looked for on the hosts, by the notes of containers"
		}
		if x.State != nil {
			c.hint = fmt.Sprintf("proximity state restore %d   (keeps what can be read of it)", x.State.Serial)
		} else if best := x.Best(); best != nil {
			c.hint = fmt.Sprintf("proximity state restore %d", best.Serial)
		}
	case len(x.Open) > 0:
		c.text = open + " begun and not ended: "
		if x.Held {
			c.text += "a run is going on"
		} else {
			c.text += "a run was cut short, and the next apply finds out what became of it"
		}
	case x.Files.Journal != nil:
		c.text = "sound: the next run folds it into the state file"
	}
	return c
}

func checkVersions(x *state.Examination) []finding {
	if x.PastErr != nil {
		return []finding{{part: "versions", wrong: true, text: x.PastErr.Error(), lost: "every version but the present one, until they can be read"}}
	}
	var bad []finding
	sealed := 0
	for _, p := range x.Past {
		switch {
		case isSealed(p):
			sealed++
		case p.Err != nil:
			bad = append(bad, finding{
				part: fmt.Sprintf("version %d", p.Serial), wrong: true, text: why(p.Err),
				lost: "this version; there is nothing to type, later saves take its place",
			})
		}
	}
	if len(bad) > 0 {
		return bad
	}
	c := finding{part: "versions", text: fmt.Sprintf("sound: %d kept", len(x.Past))}
	if sealed > 0 {
		c.text += fmt.Sprintf(", %d of them encrypted with an earlier key", sealed)
		c.hint = "to read them too, give the passphrase of then as old_passphrase, or its identity file"
	}
	return []finding{c}
}

func checkTrail(x *state.Examination) finding {
	c := finding{part: "trail", text: "sound: " + ui.Plural(x.Entries, "line")}
	if x.TrailErr == nil {
		return c
	}
	c.wrong, c.text = true, x.TrailErr.Error()
	var tampered *state.ErrTampered
	if errors.As(x.TrailErr, &tampered) {
		c.text = tampered.Why
		if tampered.Line > 0 {
			c.text = fmt.Sprintf("line %d: %s", tampered.Line, tampered.Why)
		}
	}
	c.lost = "the proof that nobody changed what it tells from that line on"
	if best := x.Best(); x.LastErr != nil && best != nil {
		c.text += "; no run begins while its last line is so"
		c.hint = fmt.Sprintf("proximity state restore %d   (what comes then begins a trail of its own behind it)", best.Serial)
	}
	return c
}

func checkLock(x *state.Examination) finding {
	c := finding{part: "lock", text: "free"}
	switch {
	case x.HolderErr != nil:
		c.wrong, c.text = true, x.HolderErr.Error()
	case x.Held:
		c.text = fmt.Sprintf("held by %s, for %s", x.Holder, ui.Age(time.Since(x.Holder.Since)))
		c.hint = "when it does not run any more: proximity state unlock " + pasted(x.Holder.ID)
	}
	return c
}

func checkFiles(x *state.Examination) []finding {
	var all []finding
	for _, d := range x.Disorders {
		all = append(all, finding{part: filepath.Base(d.Place), wrong: !d.Passes, text: d.What, hint: d.Remedy})
	}
	return all
}

// checkErrored looks at what runs put aside because the store took no writes.
func (e *engine) checkErrored(x *state.Examination) []finding {
	ext := filepath.Ext(erroredFile)
	names, _ := filepath.Glob(strings.TrimSuffix(erroredFile, ext) + "*" + ext) // the pattern is well formed
	var all []finding
	for _, name := range names {
		all = append(all, e.checkAside(x, name))
	}
	return all
}

// checkAside tells of one such file whether it is needed yet. To remove it is said
// only of one that was read and that the store has gone beyond.
func (e *engine) checkAside(x *state.Examination, name string) finding {
	c := finding{part: name}
	st, err := e.readStateFile(name)
	if err != nil {
		c.wrong, c.text = true, "a run put it aside, and whether it is needed cannot be told: "+why(err)
		return c
	}
	isNew, err := x.MayPush(st)
	switch {
	case isNew:
		c.wrong, c.text = true, fmt.Sprintf("a run put it aside since the store took no writes: serial %d, %s", st.Serial, ui.Plural(len(st.Objects), "record"))
		c.hint = "proximity state push " + pasted(name)
	case err != nil && st.Lineage != x.Lineage:
		c.text = "put aside by a run, and not for this store: " + why(err)
	case err != nil:
		c.text, c.hint = "put aside by a run, and not needed any more: "+why(err), "rm "+pasted(name)
	default:
		c.text, c.hint = "put aside by a run; the store has it by now", "rm "+pasted(name)
	}
	return c
}

func (e *engine) showChecks(checks []finding, isWrong bool) error {
	if e.json {
		for _, c := range checks {
			e.lines.Object("state_check", map[string]any{
				"part": c.part, "ok": !c.wrong, "text": c.text, "lost": c.lost, "hint": c.hint,
			})
		}
		return e.lines.Err()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", e.store)
	for _, c := range checks {
		sign := "ok   "
		if c.wrong {
			sign = "WRONG"
		}
		fmt.Fprintf(&text, "%s  %s: %s\n", sign, ui.Clean(c.part), ui.Clean(c.text))
		if c.lost != "" {
			text.WriteString(ui.Indent("lost: "+ui.Clean(c.lost)+"\n", "       "))
		}
		if c.hint != "" {
			text.WriteString(ui.Indent(ui.CleanLines("type: "+c.hint)+"\n", "       "))
		}
	}
	if !isWrong {
		text.WriteString("\nAll is well.\n")
	}
	return e.print(text.String())
}
