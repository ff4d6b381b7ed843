package s3

import (
	"context"
	"regexp"
	"slices"
)

// sweepLimit is how many objects one sweep removes at most.
const sweepLimit = 100

// sweep removes what runs that were killed wrote and no head ever named. Only
// a holder may call it, before it writes: nobody else writes objects that
// somebody will name.
func (s *Store) sweep(ctx context.Context, h head) {
	names, err := s.names(ctx, "", 1000)
	if err != nil {
		return // nothing depends on it
	}
	for _, o := range h.objects() {
		names = slices.DeleteFunc(names, func(name string) bool { return name == o.Name })
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !isOurs(name) })
	s.drop(ctx, names[:min(len(names), sweepLimit)])
}

// isOurs reports whether an object has a name that we give: what else lies
// there is left alone.
func isOurs(name string) bool { return ours.MatchString(name) }

var ours = regexp.MustCompile(`^(state-[0-9]{20}|journal|trail)-[a-z2-7]{26}$`)
