package proxmox

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// The functions of this file make attributes; the name says the type.

func text(doc string, check func(cty.Value) string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.String, Check: check}
}

func number(doc string, check func(cty.Value) string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Number, Check: check}
}

func size(doc string, check func(cty.Value) string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Number, Unit: resource.Size, Check: check}
}

func seconds(doc string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Number, Unit: resource.Duration, Check: atLeast(0)}
}

func flag(doc string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Bool}
}

func flagOr(value bool, doc string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Bool, Default: cty.BoolVal(value)}
}

func list(doc string, check func(cty.Value) string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.List(cty.String), Check: each(check)}
}

func set(of cty.Type, doc string, check func(cty.Value) string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: cty.Set(of), Check: each(check)}
}

func computed(t cty.Type, doc string) *resource.Attr {
	return &resource.Attr{Doc: doc, Type: t, Role: resource.Computed}
}

func required(a *resource.Attr) *resource.Attr {
	a.Role = resource.Required
	return a
}

func ours(a *resource.Attr) *resource.Attr {
	a.Ours = true
	return a
}

func atCreate(a *resource.Attr) *resource.Attr {
	a.AtCreate = true
	return a
}

func fromHost(name string, a *resource.Attr) *resource.Attr {
	a.HostDefault = name
	return a
}

func alike(same func(a, b cty.Value) bool, a *resource.Attr) *resource.Attr {
	a.Same = same
	return a
}

func slot() *resource.Attr {
	return computed(cty.String, "The key of its line in the container's configuration, such as mp0")
}
