package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
)

type fmtFlags struct{ check, diff bool }

func (a *app) fmtCommand() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Rewrite configuration files in the usual form",
		Long: `Fmt rewrites configuration files in the usual form and prints the names of those
that changed. Without arguments it takes every *.hcl file of the working
directory; "-" reads stdin and writes stdout.`,
		RunE: func(_ *cobra.Command, files []string) error { return a.fmt(files, f) },
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; exit code 3 when a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what changes")
	return cmd
}

func (a *app) fmt(files []string, f fmtFlags) error {
	if len(files) == 0 {
		found, err := filepath.Glob("*.hcl") // never errs: the pattern is well formed
		if err != nil {
			return err
		}
		files = found
	}
	changed := false
	for _, name := range files {
		different, err := a.fmtFile(name, f)
		if err != nil {
			return err
		}
		changed = changed || different
	}
	if changed && f.check {
		return &exit{code: exitUnformatted}
	}
	return nil
}

// fmtFile formats one file and reports whether it was not in the usual form.
func (a *app) fmtFile(name string, f fmtFlags) (changed bool, err error) {
	before, err := a.readFile(name)
	if err != nil {
		return false, err
	}
	after, problems := config.Format(name, before)
	if err := problems.Err(); err != nil {
		return false, &exit{exitInvalid, err}
	}
	changed = !bytes.Equal(before, after)
	switch {
	case f.diff:
		if err := a.print(udiff.Unified("old/"+name, "new/"+name, string(before), string(after))); err != nil {
			return false, err
		}
	case name == "-" && !f.check:
		return changed, a.print(string(after))
	case changed:
		if err := a.print(name + "\n"); err != nil {
			return false, err
		}
	}
	if !changed || f.check || name == "-" {
		return changed, nil
	}
	return true, rewrite(name, after)
}

func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.Stdin)
	}
	return os.ReadFile(name)
}

// rewrite replaces a file whole and keeps its mode.
func rewrite(name string, content []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(name, content, info.Mode().Perm(), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
