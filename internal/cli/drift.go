package cli

import (
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) driftCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Show what changed behind our back, and what nobody manages",
		Long: `Drift compares everything that is recorded with what is there, whatever the
configuration says now. It shows both values of what was changed, what came to
it by hand, the settings that nobody asked for, and the guests that are none of
ours. It changes nothing. Exit code 2 tells that something drifted.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.drift() },
	}
}

func (a *app) drift() error {
	e, err := a.engine(nil)
	if err != nil {
		return err
	}
	defer e.close()
	st, err := e.settled()
	if err != nil {
		return err
	}
	inv, err := inventory.Ask{Thorough: true}.Observe(e.soft, e.hosts, e.config.Resources, st)
	if err != nil {
		return err
	}
	drifts := plan.Drifts(plan.Input{
		Kinds: e.kinds, Desired: e.config.Resources, Seen: inv.Seen, Prior: plan.Prior{Objects: st.Objects, Seal: st.Sealer()},
	})
	if err := a.showDrift(drifts, inv, st); err != nil {
		return err
	}
	if slices.ContainsFunc(drifts, func(d plan.Drift) bool { return d.Any() }) {
		return &exit{code: exitChanges}
	}
	return nil
}

func (a *app) showDrift(drifts []plan.Drift, inv inventory.Inventory, st *state.State) error {
	if a.json {
		for _, d := range drifts {
			a.lines.Drift(d)
		}
	} else if err := a.print(ui.Drift(drifts, a.out.Style())); err != nil {
		return err
	}
	for _, host := range slices.Sorted(maps.Keys(inv.Surveys)) {
		strangers := strangersOf(inv.Surveys[host], st)
		if a.json {
			a.lines.Strangers(host, strangers)
		} else if err := a.print(ui.Strangers(host, strangers, a.out.Style())); err != nil {
			return err
		}
	}
	return a.lines.Err()
}

// strangersOf returns the guests of a host that state does not know.
func strangersOf(survey resource.Survey, st *state.State) []resource.Guest {
	ours := map[string]bool{}
	for _, o := range st.Objects {
		if o.Host == survey.Host {
			ours[o.ID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(survey.Guests), func(g resource.Guest) bool { return ours[strconv.Itoa(g.ID)] })
}
