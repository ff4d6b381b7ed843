package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// blindness is a reason for which nothing could be concluded, with all that it
// holds for.
type blindness struct {
	why, hint string
	outcome   outcome
	addrs     []addr.Addr
	at        *hcl.Range // of the first
}

// outcome says what becomes of one thing, or of several, that could not be
// looked at.
type outcome struct{ one, several string }

var (
	leftAlone    = outcome{"it is left as it is", "they are left as they are"}
	neverDropped = outcome{"it is neither deleted nor forgotten", "they are neither deleted nor forgotten"}
)

func (o outcome) of(n int) string {
	if n == 1 {
		return o.one
	}
	return o.several
}

// unseen notes that nothing could be concluded about a resource.
func (p *planner) unseen(at *hcl.Range, a addr.Addr, seen resource.Seen, is outcome) {
	i := slices.IndexFunc(p.blind, func(b blindness) bool {
		return b.why == seen.Why && b.hint == seen.Hint && b.outcome == is
	})
	if i < 0 {
		i, p.blind = len(p.blind), append(p.blind, blindness{why: seen.Why, hint: seen.Hint, outcome: is})
	}
	b := &p.blind[i]
	if b.at == nil {
		b.at = at
	}
	if b.addrs = append(b.addrs, a); p.Kinds[a.Kind].Lasting {
		b.addrs = b.addrs[:len(b.addrs)-1] // nobody knows it by that name
	}
}

// sayUnseen tells each reason once: a node that is down may hold many.
func (p *planner) sayUnseen() {
	const most = 5
	var list diag.List
	for _, b := range p.blind {
		if len(b.addrs) == 0 {
			continue
		}
		addr.Sort(b.addrs)
		var names []string
		for _, a := range b.addrs[:min(len(b.addrs), most)] {
			names = append(names, a.String())
		}
		if more := len(b.addrs) - most; more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		d := diag.Warningf(b.at, "cannot look at "+strings.Join(names, ", "), "%s; %s", b.why, b.outcome.of(len(b.addrs)))
		d.Hint = b.hint
		list = append(list, d)
	}
	p.plan.Diagnostics = append(list, p.plan.Diagnostics...) // others may follow from these
}
