package schema

import (
	"strconv"
	"strings"
)

// params is a table of parameters by name. "net[32]" stands for net0 to net31.
type params map[string]*Param

// op describes a method. The placeholders of its path get their usual parameters unless the table names them.
func op(verb, path string, rule *Permission, table params) *Method {
	m := &Method{Verb: verb, Path: path, Permission: rule, Params: params{}, Indexed: map[string]Indexed{}}
	for _, s := range segments(path) {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			m.Params[name] = req(placeholder(name))
		}
	}
	for name, p := range table {
		stem, count, indexed := strings.Cut(name, "[")
		if !indexed {
			m.Params[name] = p
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, "]"))
		if err != nil {
			panic("schema: index of " + name + ": " + err.Error())
		}
		m.Indexed[stem] = Indexed{Param: p, Count: n}
	}
	return m
}

func get(path string, rule *Permission, table params) *Method  { return op("GET", path, rule, table) }
func post(path string, rule *Permission, table params) *Method { return op("POST", path, rule, table) }
func put(path string, rule *Permission, table params) *Method  { return op("PUT", path, rule, table) }
func del(path string, rule *Permission, table params) *Method  { return op("DELETE", path, rule, table) }

// root marks a method that pvedaemon runs as root.
func (m *Method) root() *Method { m.Protected = true; return m }

// onNode marks a method that is proxied to the node in its path.
func (m *Method) onNode() *Method { m.ProxyNode = true; return m }

// ticketOnly marks a method that API tokens may not call.
func (m *Method) ticketOnly() *Method { m.NoToken = true; return m }

// placeholder returns the parameter that a placeholder of this name stands for almost everywhere.
func placeholder(name string) *Param {
	switch name {
	case "node":
		return text().as("pve-node")
	case "vmid":
		return vmid()
	case "storage":
		return text().as("pve-storage-id")
	case "snapname":
		return text().as("pve-configid").most(40)
	case "userid":
		return text().as("pve-userid").most(64)
	case "groupid":
		return text().as("pve-groupid")
	case "roleid":
		return text().as("pve-roleid")
	case "poolid":
		return text().as("pve-poolid")
	case "tokenid":
		return text().like(tokenSubID)
	default:
		return text()
	}
}

// vmid is the id of a guest. Until 8.0 its bounds were those of a number, but its format let through no less.
func vmid() *Param {
	return integer().as("pve-vmid").min(100).max(999999999).before(800, integer().as("pve-vmid").min(1).max(999999999))
}
