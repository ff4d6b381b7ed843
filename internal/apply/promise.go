package apply

import (
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/resource"
)

// contradiction returns where two values of one type differ although the plan
// said what the first would be, or nil. It looks into objects and maps; what is
// in a list or set that is unknown in parts was not promised.
func contradiction(planned, final value) resource.Path {
	planned, _ = planned.Unmark()
	final, _ = final.Unmark()
	isWhole := planned.IsWhollyKnown()
	switch {
	case !planned.IsKnown() || isWhole && unmarked(planned).RawEquals(unmarked(final)):
		return nil
	case planned.IsNull() || final.IsNull():
		return resource.Path{}
	case planned.Type().IsObjectType() || planned.Type().IsMapType():
		return contradictionWithin(planned.AsValueMap(), final.AsValueMap())
	case isWhole:
		return resource.Path{}
	}
	return nil
}

func contradictionWithin(planned, final map[string]value) resource.Path {
	names := slices.AppendSeq(slices.Collect(maps.Keys(planned)), maps.Keys(final))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		before, promised := planned[name]
		after, isThere := final[name]
		if !promised || !isThere {
			return resource.Path{name}
		}
		if at := contradiction(before, after); at != nil {
			return append(resource.Path{name}, at...)
		}
	}
	return nil
}

func unmarked(v value) value {
	v, _ = v.UnmarkDeep()
	return v
}
