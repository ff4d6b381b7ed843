package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the versions of the state that are kept",
		Long: `History lists the last states that were saved, the newest first. Any of them
can be brought back with "state restore".`,
		Example: "  proximity state history",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.withKeeper(func(e *engine) error { return e.showVersions() })
		},
	}
}

// showVersions lists what the store keeps. Damaged versions are marked, and no
// hindrance.
func (e *engine) showVersions() error {
	all, err := state.Versions(e.soft, e.store, e.options())
	if err != nil {
		return err
	}
	if e.json {
		for _, p := range all {
			e.lines.Object("state_version", versionLine(p))
		}
		return e.lines.Err()
	}
	if len(all) == 0 {
		return e.print("No version is kept yet.\n")
	}
	rows := [][]string{{"SERIAL", "SAVED", "AGE", "OBJECTS", "SIZE"}}
	for _, p := range all {
		objects, size := "damaged", ui.Bytes(len(p.State))
		switch {
		case p.Err == nil:
			objects = fmt.Sprint(len(p.Content.Objects))
		case isSealed(p):
			objects = "no key"
		}
		rows = append(rows, []string{fmt.Sprint(p.Serial), p.At.Local().Format(time.DateTime), ui.Age(time.Since(p.At)), objects, size})
	}
	return e.print(ui.Table(rows))
}

// isSealed reports whether a version is sound as far as can be told, and
// encrypted with a key that is not at hand: one from before a rotation.
func isSealed(p state.Past) bool { return errors.As(p.Err, new(*state.ErrSealed)) }

func versionLine(p state.Past) map[string]any {
	line := map[string]any{
		"serial": p.Serial, "saved": p.At.UTC().Format(time.RFC3339), "size": len(p.State),
		"damaged": p.Err != nil && !isSealed(p),
	}
	if p.Err != nil {
		line["error"] = p.Err.Error()
	} else {
		line["lineage"], line["objects"], line["open"] = p.Content.Lineage, len(p.Content.Objects), len(p.Content.Open)
	}
	return line
}
