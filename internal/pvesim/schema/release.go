package schema

import (
	"slices"
	"sync"
)

// Release is a release of Proxmox VE as a number: 804 is 8.4. The tables say of what came or went with a release which one
// that was; a release between two that we know of has what the older one has.
type Release int

// Releases are those that tables are made for, the newest first.
func Releases() []Release { return []Release{902, 901, 900, 804, 704} }

// API is the interface of one release.
type API struct {
	Release Release
	methods []*Method
	root    *branch
}

// At returns the interface of one of Releases; any other panics.
func At(r Release) *API { return apis()[r]() }

var apis = sync.OnceValue(func() map[Release]func() *API {
	all := map[Release]func() *API{}
	for _, r := range Releases() {
		all[r] = sync.OnceValue(func() *API { return newAPI(r) })
	}
	return all
})

func newAPI(r Release) *API {
	a := &API{Release: r, root: &branch{}}
	for _, m := range methods() {
		if at := m.at(r); at != nil {
			a.methods = append(a.methods, at)
			a.root.plant(at)
		}
	}
	return a
}

// since says with which release something came, until with which it went away.

func (p *Param) since(r Release) *Param   { p.era.since = r; return p }
func (p *Param) until(r Release) *Param   { p.era.until = r; return p }
func (m *Method) since(r Release) *Method { m.era.since = r; return m }
func (c *Check) from(r Release) *Check    { c.era.since = r; return c }

// before says how a parameter was until a release.
func (p *Param) before(r Release, older *Param) *Param {
	p.older, p.olderUntil = older, r
	return p
}

// era is from when until when something is there; zero is always.
type era struct{ since, until Release }

func (e era) holds(r Release) bool { return r >= e.since && (e.until == 0 || r < e.until) }

// at is the method as a release has it, nil when it has none.
func (m *Method) at(r Release) *Method {
	if !m.era.holds(r) {
		return nil
	}
	here := *m
	here.Params, here.Indexed = paramsAt(m.Params, r), map[string]Indexed{}
	for stem, family := range m.Indexed {
		if p := family.at(r); p != nil {
			here.Indexed[stem] = Indexed{Param: p, Count: family.Count}
		}
	}
	if m.Permission != nil {
		here.Permission = &Permission{User: m.Permission.User, Check: m.Permission.Check.at(r)}
	}
	return &here
}

func paramsAt(table map[string]*Param, r Release) map[string]*Param {
	here := make(map[string]*Param, len(table))
	for name, p := range table {
		if at := p.at(r); at != nil {
			here[name] = at
		}
	}
	return here
}

func (p *Param) at(r Release) *Param {
	switch {
	case !p.era.holds(r):
		return nil
	case p.older != nil && r < p.olderUntil:
		return p.older.at(r)
	}
	here := *p
	here.release = r
	if p.Props != nil {
		here.Props = &Props{Keys: paramsAt(p.Props.Keys, r), Default: p.Props.Default, Verify: p.Props.Verify}
	}
	if p.Items != nil {
		here.Items = p.Items.at(r)
	}
	return &here
}

func (c *Check) at(r Release) *Check {
	if c == nil {
		return nil
	}
	here := *c
	here.Of = nil
	for _, sub := range c.Of {
		if sub.era.holds(r) {
			here.Of = append(here.Of, sub.at(r))
		}
	}
	if len(c.Of) > 1 && len(here.Of) == 1 {
		return here.Of[0]
	}
	return &here
}

// privilegeEras are the privileges that have not always been there, or are not any more.
var privilegeEras = sync.OnceValue(func() map[string]era {
	return map[string]era{
		"Mapping.Audit":                {since: 800},
		"Mapping.Modify":               {since: 800},
		"Mapping.Use":                  {since: 800},
		"SDN.Use":                      {since: 800},
		"Sys.AccessNetwork":            {since: 801},
		"VM.GuestAgent.Audit":          {since: 900},
		"VM.GuestAgent.FileRead":       {since: 900},
		"VM.GuestAgent.FileSystemMgmt": {since: 900},
		"VM.GuestAgent.FileWrite":      {since: 900},
		"VM.GuestAgent.Unrestricted":   {since: 900},
		"VM.Monitor":                   {until: 900},
		"VM.Replicate":                 {since: 900},
	}
})

// Privileges are all that a role may hold in a release.
func Privileges(r Release) []string {
	return slices.DeleteFunc(append(privileges(), "VM.Monitor"), func(name string) bool {
		e, ok := privilegeEras()[name]
		return ok && !e.holds(r)
	})
}

// All returns every method, sorted by path and verb.
func (a *API) All() []*Method { return slices.Clone(a.methods) }

// Find returns the method for a request and the values of the placeholders of its path. The path is below /api2/json and
// already unescaped; doubled and trailing slashes do not matter. A nil method means that Proxmox answers 501.
func (a *API) Find(verb, path string) (*Method, map[string]string) {
	vars := map[string]string{}
	leaf := a.root.match(segments(path), vars)
	if leaf == nil || leaf.verbs[verb] == nil {
		return nil, nil
	}
	return leaf.verbs[verb], vars
}
