package failpoint_test

import (
	"strings"
)

// writes are the calls that leave something behind when the process dies, by
// the packages in which a call of that name means just that.
var writes = []struct{ in, call string }{
	{"", "os.WriteFile"}, {"", "os.Rename"}, {"", "os.Remove"}, {"", "os.RemoveAll"}, {"", "os.Truncate"}, {"", "os.Link"}, {"", "os.Symlink"},
	{"", "renameio.WriteFile"}, {"", "renameio.Symlink"}, {"", ".CloseAtomicallyReplace"},
	{"internal/state/local", ".Truncate"}, {"internal/state/local", ".WriteAt"}, {"internal/state/local", ".WriteString"},
	{"internal/state/", ".Sync"}, {"internal/cli", ".Sync"},
	{"internal/state/postgres", ".Exec"}, {"internal/state/postgres", ".Commit"},
	{"internal/state/s3", ".swap"}, {"internal/state/s3", ".put"}, {"internal/state/s3", ".drop"},
	{"internal/state/s3", ".PutObject"}, {"internal/state/s3", ".DeleteObject"}, {"internal/state/s3", ".DeleteObjects"},
	{"internal/state/s3", ".CopyObject"},
	{"internal/state/http", ".client.once"}, {"internal/state/http", ".Do"},
}

// harmless are writes without points, with the reason.
var harmless = map[string]string{
	"internal/state/local: sweep: os.Remove":         "a file that nobody reads; what stays is swept the next time",
	"internal/state/local: keep: os.Remove":          "a version that is too old; what stays is dropped the next time",
	"internal/state/local: add: j.file.WriteAt":      "after a write that failed: what is not taken back is a torn line, which was never acted upon",
	"internal/state/local: grow: j.file.Truncate":    "after a write that failed: what is not taken back are zeros",
	"internal/cli: complete: os.Remove":              "after a write that failed: half a file is worth nothing",
	"internal/state/postgres: prepare: conn.Exec":    "settings of the connection itself",
	"internal/state/s3: put: s.client.PutObject":     "its callers have the points",
	"internal/state/s3: drop: s.client.DeleteObject": "its callers have the points",
	"internal/state/s3: swap: s.put":                 "its callers have the points",
	"internal/state/s3: prove: s.put":                "conditions that are not met: nothing is written",
	"internal/state/s3: sweep: s.drop":               "objects that nothing names; what stays is swept the next time",
	"internal/state/http: once: c.http.Do":           "its callers have the points, or read",
	"internal/state/http: forget: s.client.once":     "gives back what may never have been got",
}

// unguarded returns what to say of each durable write that lies outside of
// points.
func (all sources) unguarded() (problems []string) {
	for _, p := range all.inOrder() {
		for _, c := range p.calls {
			name := calledName(c.CallExpr)
			if !p.writes(name) || p.isGuarded(c, 0) || harmless[p.dir+": "+c.in.Name.Name+": "+name] != "" {
				continue
			}
			problems = append(problems, p.at(c)+": "+c.in.Name.Name+" calls "+name+" outside of failpoints: put it into failpoint.Around(\""+
				strings.TrimPrefix(p.dir, "internal/")+": what it does\", …), or give it a reason in harmless")
		}
	}
	return problems
}

func (p *pkg) writes(name string) bool {
	for _, w := range writes {
		isCall := name == w.call || strings.HasPrefix(w.call, ".") && strings.HasSuffix(name, w.call)
		if isCall && strings.HasPrefix(p.dir+"/", w.in) {
			return true
		}
	}
	return false
}

// isGuarded reports whether a call lies between points, or in a function of
// which every call does.
func (p *pkg) isGuarded(c call, depth int) bool {
	if c.points != "" {
		return true
	}
	callers := p.callsOf(c.in.Name.Name)
	for _, caller := range callers {
		if depth > 5 || !p.isGuarded(caller, depth+1) {
			return false
		}
	}
	return len(callers) > 0
}
