package cli

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
)

// selectionFlags are the flags that narrow a plan.
type selectionFlags struct {
	destroy                    bool
	targets, excludes, replace []string
}

func (s *selectionFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.targets, "target", nil, "only `ADDRESS` and what it needs; may be repeated")
	flags.StringArrayVar(&s.excludes, "exclude", nil, "not `ADDRESS` nor what needs it; may be repeated")
}

func (s *selectionFlags) addReplace(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.replace, "replace", nil, "delete `ADDRESS` and make it anew; may be repeated")
	flags.BoolVar(&s.destroy, "destroy", false, "plan to delete everything")
}

// isSet reports whether the selection is narrower than everything.
func (s *selectionFlags) isSet() bool {
	return s.destroy || len(s.targets)+len(s.excludes)+len(s.replace) > 0
}

// selection reads the addresses. It checks their form, not whether they exist.
func (s *selectionFlags) selection() (plan.Selection, error) {
	out := plan.Selection{Destroy: s.destroy}
	for _, list := range []struct {
		flag  string
		texts []string
		into  *[]addr.Addr
	}{
		{"--target", s.targets, &out.Targets}, {"--exclude", s.excludes, &out.Exclude}, {"--replace", s.replace, &out.Replace},
	} {
		for _, text := range list.texts {
			a, err := addr.Parse(text)
			if err != nil {
				return out, &exit{exitUsage, err}
			}
			*list.into = append(*list.into, a)
		}
	}
	return out, nil
}

// join returns at most n addresses as text.
func join(list []addr.Addr, n int) string {
	var texts []string
	for i, a := range list {
		if i == n {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}
