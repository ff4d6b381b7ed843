// Package schema holds the parameter tables of the Proxmox VE API as far as containers, storage, tasks, backups and access
// are concerned, and checks requests against them with Proxmox's own error texts. They are those of version 9.1; what
// older releases have otherwise stands beside it, and At gives the tables of one release.
//
// The tables are the simulator's own: they share nothing with the client, so that a misunderstanding of the client cannot
// hide in both. A test holds them equal to the official schema, another to recordings of a real node.
//
// Everything here is immutable after its first use and safe for concurrent use.
package schema

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Method is one operation of the API, such as POST /nodes/{node}/lxc.
type Method struct {
	Verb, Path string             // the path is below /api2/json, placeholders in braces
	Params     map[string]*Param  // by name, those of the path included
	Indexed    map[string]Indexed // numbered parameters by their stem: "net" stands for net0, net1 and so on
	NoToken    bool               // needs a ticket: an API token gets 403
	Protected  bool               // runs in pvedaemon as root
	ProxyNode  bool               // runs on the node that the path names
	Permission *Permission        // the declared check, made before Check; nil: only root@pam

	era era
}

// Indexed is a family of numbered parameters, such as net0 to net31.
type Indexed struct {
	*Param
	Count int // indexes run from 0 to Count-1
}

// Param returns what the method says about a parameter, or nil when it has none of that name. An index is a plain decimal
// number without leading zeros.
func (m *Method) Param(name string) *Param {
	if p := m.Params[name]; p != nil {
		return p
	}
	stem := strings.TrimRight(name, "0123456789")
	family, ok := m.Indexed[stem]
	if !ok || !validIndex(name[len(stem):], family.Count) {
		return nil
	}
	return family.Param
}

func validIndex(digits string, count int) bool {
	if digits == "" || len(digits) > 3 || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n < count
}

// Find is At of the newest release and its Find.
func Find(verb, path string) (*Method, map[string]string) { return At(Releases()[0]).Find(verb, path) }

// All returns every method of the newest release, sorted by path and verb.
func All() []*Method { return At(Releases()[0]).All() }

var methods = sync.OnceValue(func() []*Method {
	all := slices.Concat(accessMethods(), clusterMethods(), backupMethods(), poolMethods(), storageMethods(),
		nodeMethods(), nodeStorageMethods(), lxcMethods())
	slices.SortFunc(all, func(a, b *Method) int {
		return strings.Compare(a.Path+" "+a.Verb, b.Path+" "+b.Verb)
	})
	return all
})

// branch is a node of the tree of paths. A literal segment wins over a placeholder.
type branch struct {
	literal     map[string]*branch
	placeholder *branch
	name        string // of this branch's own placeholder
	rest        bool   // the placeholder takes all segments that are left
	verbs       map[string]*Method
}

// plant puts a method where its path leads.
func (b *branch) plant(m *Method) {
	at := b
	for _, s := range segments(m.Path) {
		at = at.child(s)
	}
	if at.verbs == nil {
		at.verbs = map[string]*Method{}
	}
	at.verbs[m.Verb] = m
}

func (b *branch) child(segment string) *branch {
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		if b.placeholder == nil {
			name = strings.TrimSuffix(name, "}")
			// A volume id contains slashes.
			b.placeholder = &branch{name: name, rest: name == "volume"}
		}
		return b.placeholder
	}
	if b.literal == nil {
		b.literal = map[string]*branch{}
	}
	if b.literal[segment] == nil {
		b.literal[segment] = &branch{}
	}
	return b.literal[segment]
}

// match walks down and collects placeholder values; nil when the path leaves the tree.
func (b *branch) match(segments []string, vars map[string]string) *branch {
	for i, s := range segments {
		if next := b.literal[s]; next != nil {
			b = next
			continue
		}
		if b.placeholder == nil {
			return nil
		}
		b = b.placeholder
		if b.rest {
			vars[b.name] = strings.Join(segments[i:], "/")
			return b
		}
		vars[b.name] = s
	}
	return b
}

func segments(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
}

// merge joins tables of parameters; a later table wins.
func merge(tables ...params) params {
	all := params{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}
