package plan

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
)

// outcome is what becomes of a thing that could not be looked at, and of many.
type outcome struct{ one, many string }

var (
	leftAlone = outcome{"it is left as it is", "they are left as they are"}
	notGone   = outcome{"it is neither deleted nor forgotten", "they are neither deleted nor forgotten"}
)

// blindness is why something could not be looked at, and what follows.
type blindness struct {
	host, why, hint string
	outcome
}

// blind is what could not be looked at for one reason, and where among the
// diagnostics that is told.
type blind struct {
	at    int
	addrs []addr.Addr
}

// mostNames is how many addresses a warning names.
const mostNames = 12

// unseen says that nothing could be concluded about a resource. What has the
// same reason is told of together: a node that is down has many.
func (p *planner) unseen(at *hcl.Range, c *Change, o outcome) {
	key := blindness{c.Host, c.Seen.Why, c.Seen.Hint, o}
	b := p.blind[key]
	if b == nil {
		b = &blind{at: len(p.plan.Diagnostics)}
		p.blind[key] = b
		p.say(diag.Diagnostic{})
	}
	switch lasting := p.Kinds[c.Addr.Kind].Lasting; {
	case len(b.addrs) > 0 && lasting: // nobody wrote it
		return
	case len(b.addrs) == 1 && p.Kinds[b.addrs[0].Kind].Lasting:
		b.addrs = nil
	}
	b.addrs = append(b.addrs, c.Addr)
	d := &p.plan.Diagnostics[b.at]
	if len(b.addrs) == 1 {
		*d = diag.Warningf(at, "cannot look at "+c.Addr.String(), "%s; %s", c.Seen.Why, o.one)
	} else {
		subject := d.Subject
		*d = diag.Warningf(subject, fmt.Sprintf("cannot look at %d resources", len(b.addrs)), "%s; %s: %s", c.Seen.Why, o.many, names(b.addrs))
	}
	d.Hint = c.Seen.Hint
}

// names lists addresses, as many as one may want to read.
func names(addrs []addr.Addr) string {
	var list []string
	for _, a := range addrs[:min(len(addrs), mostNames)] {
		list = append(list, a.String())
	}
	if more := len(addrs) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}
