package inventory

import (
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
)

// Precheck asks the providers what of a plan would fail on their hosts as
// surveyed, before anything of it is carried out. It looks at nothing anew.
func Precheck(set providers.Set, p *plan.Plan) diag.List {
	proposals := map[string][]providers.Proposal{}
	for _, c := range p.Changes {
		if c.Action.Puts() {
			proposals[c.Host] = append(proposals[c.Host], providers.Proposal{
				ID:     c.ID,
				Create: c.Action == plan.Create || c.Action == plan.Replace,
				Want:   *c.After,
				Edits:  c.Edits,
			})
		}
	}
	var found diag.List
	for _, host := range slices.Sorted(maps.Keys(proposals)) {
		if checker, ok := set[host].(providers.Prechecker); ok {
			found = append(found, checker.Precheck(p.Surveys[host], proposals[host])...)
		}
	}
	return found
}
