package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

type historyFlags struct {
	since  string
	failed bool
}

func (a *app) historyCommand() *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [ADDRESS]",
		Short: "Show every step that was ever carried out",
		Long: `History shows every step that was ever carried out: when, by whom, of which
plan, what it changed, the host's tasks, how it ended and how long it took.
Steps stay when what they were about is gone. With an address their details are
shown; the address of a block means all its instances. A trail that was
tampered with is shown as far as it can be read, and is an error.`,
		Example: `  proximity history
  proximity history 'app.web["blue"]'
  proximity history --since 7d --failed
  proximity history --since 2026-11-01 --json`,
		Args: atMostOne("address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.since == "" && cmd.Flags().Changed("since") {
				return usage{cmd.CommandPath(), errors.New("--since has no time")} // a variable that is not set
			}
			return a.history(strings.Join(args, ""), f)
		},
	}
	cmd.Flags().StringVar(&f.since, "since", "", "only steps since `TIME`: 36h, 7d, 2026-11-28, or 2026-11-28T06:00:00Z")
	cmd.Flags().BoolVar(&f.failed, "failed", false, "only steps that failed, and those that a later run had to settle")
	return cmd
}

func (a *app) history(address string, f historyFlags) error {
	since, err := sinceTime(f.since, time.Now())
	if err != nil {
		return &exit{exitUsage, err}
	}
	var entries []state.Entry
	err = a.withKeeper(func(e *engine) (err error) {
		entries, err = state.Trail(e.soft, e.store, e.options())
		return err
	})
	if err != nil && len(entries) == 0 {
		return err
	}
	all := len(entries)
	entries = slices.DeleteFunc(entries, func(e state.Entry) bool {
		return e.At.Before(since) || f.failed && e.Result == state.Succeeded || !isOf(e, address)
	})
	if len(entries) == 0 && all > 0 && address != "" && since.IsZero() && !f.failed && err == nil {
		return hinted{fmt.Errorf("nothing was ever done to %s", address), "proximity history"}
	}
	return errors.Join(a.showHistory(entries, address), err)
}

func (a *app) showHistory(entries []state.Entry, address string) error {
	if a.json {
		a.lines.History(entries)
		return a.lines.Err()
	}
	detail := ui.Brief
	if address != "" {
		detail = ui.Detailed
	}
	return a.print(ui.History(entries, detail, a.out.Style()))
}

// isOf reports whether a step was about an address, or an instance of it.
func isOf(e state.Entry, address string) bool {
	return address == "" || e.Address == address || strings.HasPrefix(e.Address, address+"[")
}

// sinceTime reads a moment: a date, a time, or how long ago. Empty is the
// beginning.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if ago, err := time.ParseDuration(days + "h"); err == nil && ago >= 0 {
			return now.Add(-24 * ago), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, hinted{fmt.Errorf("--since %q is no time", text), "--since 7d, --since 36h or --since 2026-11-28"}
}
