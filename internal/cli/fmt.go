package cli

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/failpoint"
)

type fmtFlags struct{ check, diff bool }

func (a *app) fmtCommand() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [FILE|DIR...]",
		Short: "Rewrite configuration files in the usual form",
		Long: `Fmt rewrites configuration files in the usual form and prints the names of those
that changed. Of a directory it takes every *.hcl file, without arguments those
of the working directory; "-" reads stdin and writes stdout.`,
		RunE: func(_ *cobra.Command, files []string) error { return a.fmt(files, f) },
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; exit code 3 when a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what changes")
	return cmd
}

func (a *app) fmt(files []string, f fmtFlags) error {
	if len(files) == 0 {
		files = []string{"."}
	}
	files, err := withoutDirectories(files)
	if err != nil {
		return err
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

// withoutDirectories puts the *.hcl files of a directory in its place.
func withoutDirectories(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.IsDir() {
			files = append(files, name) // what is not there is said when it is read
			continue
		}
		found, err := fs.Glob(os.DirFS(name), "*.hcl")
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			files = append(files, filepath.Join(name, file))
		}
	}
	return files, nil
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
	case changed && a.json:
		a.lines.Object("formatted", map[string]any{"file": name})
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
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, plainCause(err))
	}
	return content, nil
}

// rewrite replaces a file whole and keeps its mode. Of a link it replaces what
// the link leads to.
func rewrite(name string, content []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, plainCause(err))
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("%q: %w", name, plainCause(err))
	}
	err = failpoint.Around("cli: format a file", func() error {
		return renameio.WriteFile(target, content, info.Mode().Perm(), renameio.IgnoreUmask())
	})
	if err != nil {
		return fmt.Errorf("%q: cannot be rewritten: %w", name, plainCause(err))
	}
	return nil
}
