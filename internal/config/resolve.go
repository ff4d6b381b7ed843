package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// origins are attributes of which exactly one has to be set, by kind.
var origins = map[string]struct {
	attrs []string
	hint  string
	// there names what is there already: where it is set, nobody has to know what
	// that was made from.
	there string
}{
	"app": {[]string{"template", "image", "clone"}, `template = "debian-13-standard"`, "vmid"},
}

// Resolve implements resource.Resolver. Known holds attribute objects of other
// resources, which conform to their kind's Schema; what is not in it is
// unknown. It is pure, safe for concurrent use, and its cost grows with what
// the resource refers to, not with the configuration.
func (c *Config) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	if implied, ok := c.world.implied[a]; ok {
		return implied, nil
	}
	b := c.world.blocks[addr.New(a.Kind, a.Name)]
	if b == nil {
		return resource.Resource{}, diag.List{diag.Errorf(nil, "no such resource", "%s is not in the configuration", a)}
	}
	i, ok := b.index[a.Key]
	if !ok {
		return resource.Resource{}, diag.List{diag.Errorf(&b.at, "no such resource", "%s is not in the configuration", a)}
	}
	r, _, problems := c.world.session(known).resolve(b, b.instances[i])
	if problems.HasErrors() {
		return resource.Resource{}, problems
	}
	r.Needs = merged(r.Needs, c.world.impliedBy(&r))
	return r, problems
}

// resolve evaluates one instance, with what this session knows. What is
// implied is not among its Needs yet.
func (s *session) resolve(b *block, inst instance) (resource.Resource, []meeting, diag.List) {
	s.problems = nil
	vars, problems := s.variablesOf(b, inst)
	if problems.HasErrors() {
		return resource.Resource{}, nil, problems
	}
	r := resource.Resource{Addr: inst.addr, Life: b.life, Range: b.at, At: b.written}
	d := &decoder{session: s, what: inst.addr.String(), top: b.body, fixed: map[string]cty.Value{}}
	s.place(d, b, vars, &r)
	s.mirror(b, inst, d)
	r.Want = d.block(&b.kind.Schema, b.body, vars)
	d.origin(b, r.Want)
	d.cover(b, inst, &r)
	r.Needs = s.needsOf(b, inst, vars)
	return r, d.met, append(s.problems, d.problems...)
}

// place finds out where an instance lives.
func (s *session) place(d *decoder, b *block, vars variables, r *resource.Resource) {
	if b.kind.Hostless {
		r.Host = resource.NoHost
		return
	}
	d.host, d.problems = s.hostOf(b, vars)
	d.fixed["host"] = cty.UnknownVal(cty.String) // what is wrong with it was said
	if d.host != nil {
		r.Host = d.host.Name
		d.fixed["host"] = cty.StringVal(r.Host)
	}
}

// hostOf returns the host that an instance lives on. When there is only one,
// it need not be written.
func (s *session) hostOf(b *block, vars variables) (*Host, diag.List) {
	if b.host == nil {
		if len(s.w.hosts) == 1 {
			for _, h := range s.w.hosts {
				return h.host, nil
			}
		}
		return nil, diag.List{diag.Errorf(&b.at, "host is required", "%s does not say which host it lives on", b.addr).
			WithHint("%s", s.w.hostHint())}
	}
	if b.host.broken {
		return nil, nil
	}
	v, problems := s.value(b.host, vars)
	if problems.HasErrors() {
		return nil, problems
	}
	v, _ = v.UnmarkDeep()
	if t := v.Type(); t.IsObjectType() && t.HasAttribute("name") && v.IsKnown() && !v.IsNull() {
		v = v.GetAttr("name")
	}
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return nil, diag.List{diag.Errorf(&b.host.at, "wrong type", "host has to be a host block").WithHint("%s", s.w.hostHint())}
	}
	if h, ok := s.w.hosts[v.AsString()]; ok {
		return h.host, nil
	}
	d := diag.Errorf(&b.host.at, "no such host", "host %q is not declared", v.AsString())
	if near := nearest(v.AsString(), s.w.declared("host")); near != "" {
		d.Hint = fmt.Sprintf("did you mean host.%s?", near)
	}
	return nil, diag.List{d}
}

func (w *world) hostHint() string {
	if names := w.declared("host"); len(names) > 0 {
		return "host = host." + names[0]
	}
	return "host \"pve\" {\n  endpoint = \"https://pve.example.net:8006\"\n}"
}

// origin checks that exactly one of the kind's origins is set.
func (d *decoder) origin(b *block, want cty.Value) {
	rule, ok := origins[b.kind.Name]
	if !ok {
		return
	}
	var set, offered []string
	for _, name := range rule.attrs {
		if b.kind.Schema.Attrs[name] == nil {
			continue
		}
		offered = append(offered, name)
		if v := want.GetAttr(name); !v.IsNull() {
			set = append(set, name)
		}
	}
	if len(set) == 1 || len(offered) == 0 {
		return
	}
	if len(set) == 0 {
		if !b.madeAnyhow && resource.Attribute(want, rule.there).IsNull() {
			d.problems = append(d.problems, diag.Errorf(&b.at, "nothing to make it from", "%s needs exactly one of %s", d.what, strings.Join(offered, ", ")).
				WithHint("%s", rule.hint))
		}
		return
	}
	p := diag.Errorf(place(b, set[1]), "more than one origin", "%s has %s; exactly one of them is needed", d.what, strings.Join(set, " and ")).
		WithHint("remove %s", set[1])
	for _, name := range set {
		p.Trail = append(p.Trail, diag.Place{Text: name, Range: *place(b, name)})
	}
	d.problems = append(d.problems, p)
}

func place(b *block, name string) *hcl.Range {
	if at, ok := b.written[name]; ok {
		return &at
	}
	return &b.at
}

// needsOf returns what has to exist before an instance.
func (s *session) needsOf(b *block, inst instance, vars variables) []addr.Addr {
	if !b.needy && len(s.w.covered[inst.addr]) == 0 {
		return nil
	}
	found := map[addr.Addr]bool{}
	b.body.expressions(func(e *expression) { s.needs(e, vars, found) })
	if b.forEach != nil {
		s.needs(b.forEach, nil, found)
	}
	if b.count != nil {
		s.needs(b.count, nil, found)
	}
	for _, u := range b.dependsOn {
		s.addInstances(s.w.blocks[u.block()], u, vars, found)
	}
	for _, a := range s.w.covered[inst.addr] {
		found[a] = true
	}
	delete(found, inst.addr)
	return sortedAddrs(found)
}

// impliedBy returns the addresses of what a resource implies.
func (w *world) impliedBy(r *resource.Resource) []addr.Addr {
	implies := w.o.Kinds[r.Addr.Kind].Implies
	if implies == nil {
		return nil
	}
	found := map[addr.Addr]bool{}
	for _, other := range implies(*r) {
		if _, ok := w.implied[other.Addr]; ok {
			found[other.Addr] = true
		}
	}
	return sortedAddrs(found)
}

// merged joins two sorted lists.
func merged(a, b []addr.Addr) []addr.Addr {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	addr.Sort(all)
	return slices.Compact(all)
}

// resolveAll evaluates every instance with nothing known, and adds what they
// imply.
func (w *world) resolveAll() []resource.Resource {
	w.findMirrors()
	var all []resource.Resource
	hosts, met := map[addr.Addr]string{}, map[addr.Addr][]meeting{}
	for _, b := range w.inOrder() {
		for failed, i := 0, 0; i < len(b.instances) && failed < 5; i++ {
			r, meetings, problems := w.now.resolve(b, b.instances[i])
			w.say(problems...)
			if problems.HasErrors() {
				failed++
				continue
			}
			all = append(all, r)
			hosts[r.Addr], met[r.Addr] = r.Host, meetings
		}
	}
	if len(all) > maxResources {
		w.say(diag.Errorf(nil, "too many resources", "the configuration asks for %d, at most %d are allowed", len(all), maxResources))
	}
	w.sameHosts(hosts, met)
	return w.withImplied(all)
}

// sameHosts reports resources that refer to whole resources of another host.
func (w *world) sameHosts(hosts map[addr.Addr]string, met map[addr.Addr][]meeting) {
	for _, a := range slices.SortedFunc(maps.Keys(met), addr.Compare) {
		for _, m := range met[a] {
			if there, ok := hosts[m.addr]; ok && there != hosts[a] {
				at := m.at
				w.say(diag.Errorf(&at, "different hosts", "%s lives on host %q, %s on host %q", a, hosts[a], m.addr, there).
					WithHint("%s", w.hintForHosts(a, m.addr, hosts)))
			}
		}
	}
}

// hintForHosts proposes one more of the kind that covers others.
func (w *world) hintForHosts(a, b addr.Addr, hosts map[addr.Addr]string) string {
	if w.covers(a.Kind) == "" {
		a, b = b, a
	}
	return fmt.Sprintf("%s %q {\n  host = host.%s\n  …\n}", a.Kind, a.Name+"_"+hosts[b], hosts[b])
}

// withImplied adds what resources imply to the list and to their needs, and
// sorts it.
func (w *world) withImplied(all []resource.Resource) []resource.Resource {
	written := len(all)
	for i := range written {
		implies := w.o.Kinds[all[i].Addr.Kind].Implies
		if implies == nil {
			continue
		}
		var needs []addr.Addr
		for _, other := range implies(all[i]) {
			if _, again := w.implied[other.Addr]; !again {
				w.implied[other.Addr] = other
				all = append(all, other)
			}
			needs = append(needs, other.Addr)
		}
		addr.Sort(needs)
		all[i].Needs = merged(all[i].Needs, needs)
	}
	slices.SortFunc(all, func(a, b resource.Resource) int { return addr.Compare(a.Addr, b.Addr) })
	return all
}
