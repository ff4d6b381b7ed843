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
	unnamed   []addr.Addr // what nobody wrote: told of only where there is nothing else
	at        *hcl.Range  // of the first
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
	if p.Kinds[a.Kind].Lasting {
		b.unnamed = append(b.unnamed, a)
	} else {
		b.addrs = append(b.addrs, a)
	}
}

// sayUnseen tells each reason once: a node that is down may hold many.
func (p *planner) sayUnseen() {
	var list diag.List
	for _, b := range p.blind {
		if len(b.addrs) == 0 {
			b.addrs = b.unnamed[:1]
		}
		what, outcome := b.addrs[0].String(), b.outcome.of(len(b.addrs))
		if n := len(b.addrs); n > 1 {
			what, outcome = fmt.Sprintf("%d resources", n), outcome+": "+names(b.addrs)
		}
		d := diag.Warningf(b.at, "cannot look at "+what, "%s; %s", b.why, outcome)
		d.Hint = b.hint
		list = append(list, d)
	}
	p.plan.Diagnostics = append(list, p.plan.Diagnostics...) // others may follow from these
}

// names lists addresses, as many as one may want to read.
func names(addrs []addr.Addr) string {
	const most = 12
	addr.Sort(addrs)
	var list []string
	for _, a := range addrs[:min(len(addrs), most)] {
		list = append(list, a.String())
	}
	if more := len(addrs) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}
