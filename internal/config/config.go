// Package config turns HCL files into the resources that they ask for. It owns
// the language: files and their limits, variables, locals, references,
// functions, for_each and count, and the messages about all of that. What an
// app or a backup policy may hold it takes from the kinds it is given; it
// knows nothing of hosts beyond how their blocks are written.
//
// The words: a block is what stands in a file, an instance one of what
// for_each or count make of it, and a resource an instance with its values. A
// mirror is an attribute that says from one side what another kind's
// attribute says from its own.
package config

import (
	"bytes"
	"io/fs"
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Options is what Load needs beside the files.
type Options struct {
	// FS is the configuration's directory; nil: Dir is opened, the working
	// directory when that is empty too. Nothing outside of it is read, apart
	// from VarFiles and the token files of hosts.
	FS  fs.FS
	Dir string
	// Added are files beside those of the directory, by name; one of the same
	// name stands in for the one that is there.
	Added     map[string][]byte
	Kinds     map[string]*resource.Kind         // by the word that begins their blocks
	Vars      map[string]string                 // of --var, by name
	VarFiles  []string                          // of --var-file, in order; the last one wins
	LookupEnv func(string) (string, bool)       // nil: os.LookupEnv
	ReadFile  func(name string) ([]byte, error) // for VarFiles and token files; nil: os.ReadFile
	Version   string                            // of the program, for required_version
	// Keys say what is wrong with what an encryption block holds, or "". The
	// functions that are nil find nothing.
	Keys KeyChecks

	instead hcl.Body // has a proximity block that counts instead of that of the files; nil: none
}

// Config is an evaluated configuration. It does not change any more and is
// safe for concurrent use.
type Config struct {
	Settings Settings
	Hosts    map[string]*Host
	// Resources are all instances in the order of their addresses, with nothing
	// known of objects, and what they imply.
	Resources []resource.Resource
	Sources   Sources

	world *world
}

// Load reads and evaluates the configuration of a directory. It returns all
// problems of all files at once; with errors among them the Config is nil.
func Load(o Options) (*Config, diag.List) {
	dir, closeDir, err := openDirectory(o)
	if err != nil {
		return nil, diag.List{diag.Errorf(nil, "cannot open the configuration's directory", "%q: %s", o.Dir, plainCause(err))}
	}
	c, problems := load(o, dir, nil)
	if c == nil {
		closeDir()
	}
	// Otherwise it stays open: functions may read files when resources are
	// resolved later. The process has one configuration.
	return c, problems
}

func load(o Options, dir *directory, saved *Sources) (*Config, diag.List) {
	o = o.complete()
	c, problems := inTime(maxTime, func() (*Config, diag.List) {
		w := newWorld(o, dir)
		return w.load(saved), w.problems
	})
	problems = problems.Sort()
	if problems.HasErrors() {
		return nil, problems
	}
	return c, problems
}

// complete fills in what is the system's unless it was given.
func (o Options) complete() Options {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	return o
}

// world is all that is declared. After Load it is only read.
type world struct {
	o         Options
	dir       *directory
	functions map[string]function.Function
	types     map[string]cty.Type // of the kinds' values, which are costly to make
	base      *hcl.EvalContext    // what every expression sees
	now       *session            // knows nothing of objects; only used while loading

	bodies    []hcl.Body
	hidden    bool // a proximity block may stand in what could not be read
	settings  *hcl.Block
	variables map[string]*variable
	locals    map[string]*local
	hosts     map[string]*hostBlock
	blocks    map[addr.Addr]*block
	outputs   map[string]*output
	clear     []diag.Place // secrets that are written out in the state block

	mirrored map[addr.Addr]meeting     // what instances belong to, by a mirror
	covered  map[addr.Addr][]addr.Addr // the same from the other side
	implied  map[addr.Addr]resource.Resource

	problems diag.List
}

// local is one named value. Fixed ones depend on no resource and are
// evaluated once.
type local struct {
	*expression
	at             hcl.Range
	source         hcl.Expression
	settled, fixed bool
	value          cty.Value
}

func newWorld(o Options, dir *directory) *world {
	w := &world{o: o, dir: dir, functions: functions(dir, o.LookupEnv), types: map[string]cty.Type{},
		variables: map[string]*variable{}, locals: map[string]*local{}, hosts: map[string]*hostBlock{},
		blocks: map[addr.Addr]*block{}, outputs: map[string]*output{},
		mirrored: map[addr.Addr]meeting{}, covered: map[addr.Addr][]addr.Addr{}, implied: map[addr.Addr]resource.Resource{}}
	for name, kind := range o.Kinds {
		w.types[name] = kind.Schema.Type()
	}
	w.base = &hcl.EvalContext{Functions: w.functions}
	w.now = w.session(nil)
	return w
}

func (w *world) say(problems ...diag.Diagnostic) { w.problems = append(w.problems, problems...) }

// load does everything in order. Later stages need what earlier ones found,
// but go on after problems as far as nothing misleading would be said.
func (w *world) load(saved *Sources) *Config {
	w.parse()
	if w.problems.HasErrors() {
		return nil
	}
	w.prepare(saved)
	w.validate()
	c := &Config{world: w, Hosts: map[string]*Host{}}
	for name, h := range w.hosts {
		h.host = w.evaluateHost(h)
		c.Hosts[name] = h.host
	}
	c.Settings = w.evaluateSettings()
	w.requireEncryption(c.Settings.Encryption)
	for _, b := range w.inOrder() {
		w.expand(b)
	}
	c.Resources = w.resolveAll()
	w.checkOutputs()
	c.Sources = w.sources()
	return c
}

// prepare makes everything ready to be evaluated: names, variables, locals.
func (w *world) prepare(saved *Sources) {
	w.declare()
	w.setVariables(saved)
	w.base.Variables = w.globals()
	w.compileAll()
	w.refuseCycles()
	w.settleLocals()
}

// parse reads all files. A file is looked at by size and depth before the
// parser sees it.
func (w *world) parse() {
	names, err := w.dir.configuration()
	if err != nil {
		w.say(diag.Errorf(nil, "cannot read the configuration's directory", "%s", err))
		return
	}
	if len(names) == 0 {
		w.say(diag.Errorf(nil, "no configuration here", "there is no file ending in .hcl; with --chdir another directory is taken").
			WithHint(`echo 'host "lab" { endpoint = "sim:" }' > main.hcl`))
		return
	}
	total := 0
	for _, name := range names {
		content, err := w.dir.readFile(name)
		if err != nil {
			w.say(diag.Errorf(&hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}, "cannot read the file", "%s", err))
			w.hidden = true
			continue
		}
		if total += len(content); total > maxFiles {
			w.say(diag.Errorf(nil, "configuration too large", "its files have more than %d MiB together", maxFiles>>20))
			w.hidden = true
			return
		}
		file, problems := parseFile(name, content)
		w.say(problems...)
		if file == nil || problems.HasErrors() {
			w.hidden = w.hidden || bytes.Contains(content, []byte("proximity"))
		} else {
			w.bodies = append(w.bodies, file.Body)
		}
	}
}

func parseFile(name string, content []byte) (*hcl.File, diag.List) {
	if len(content) > maxFile {
		return nil, diag.List{diag.Errorf(nil, "file too large", "%s has %d bytes, at most %d are allowed", name, len(content), maxFile)}
	}
	if problem := notText(name, content); problem != nil {
		return nil, diag.List{*problem}
	}
	if at := tooDeep(name, content); at != nil {
		return nil, diag.List{diag.Errorf(at, "nested too deep", "at most %d levels are allowed", maxDepth)}
	}
	if isJSON(name) {
		file, problems := json.Parse(content, name)
		return file, fromHCL(upToOpenString(problems))
	}
	file, problems := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	return file, fromHCL(upToOpenString(problems))
}

// upToOpenString drops what the parser says after a string that is not closed:
// it takes the rest of the file for the inside of that string.
func upToOpenString(problems hcl.Diagnostics) hcl.Diagnostics {
	for i, p := range problems {
		if p.Summary == "Invalid multi-line string" {
			return problems[:i+1]
		}
	}
	return problems
}

// globals returns the names that every expression sees.
func (w *world) globals() map[string]cty.Value {
	values := make(map[string]cty.Value, len(w.variables))
	for name, v := range w.variables {
		values[name] = v.value
	}
	hosts := make(map[string]cty.Value, len(w.hosts))
	for name := range w.hosts {
		hosts[name] = cty.ObjectVal(map[string]cty.Value{
			"name":    cty.StringVal(name),
			"address": cty.StringVal("host." + name),
		})
	}
	return map[string]cty.Value{
		"var":  cty.ObjectVal(values),
		"host": cty.ObjectVal(hosts),
		"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(".")}),
	}
}

// inOrder returns the blocks that can be evaluated, by address.
func (w *world) inOrder() []*block {
	var list []*block
	for _, b := range w.blocks {
		if !b.broken {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(x, y *block) int { return addr.Compare(x.addr, y.addr) })
	return list
}

// Format returns a file in canonical form. JSON is returned as it is. A file
// that cannot be parsed is returned with what is wrong with it.
func Format(name string, src []byte) ([]byte, diag.List) {
	if isJSON(name) {
		return src, nil
	}
	if _, problems := parseFile(name, src); problems.HasErrors() {
		return src, problems
	}
	return hclwrite.Format(src), nil
}

func fileStart(name string) *hcl.Range {
	return &hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// Asking returns the address of the resource on a host that asks for an ID by
// itself, or false.
func (c *Config) Asking(host, id string) (addr.Addr, bool) {
	for _, r := range c.Resources {
		if v := resource.Attribute(r.Want, "vmid"); r.Host == host && !v.IsNull() && v.IsKnown() && v.Type() == cty.Number &&
			v.AsBigFloat().Text('f', -1) == id {
			return r.Addr, true
		}
	}
	return addr.Addr{}, false
}

// Has reports whether the configuration's files declare a block of that
// address, whatever instances it has.
func (c *Config) Has(a addr.Addr) bool { return c.world.blocks[a.Block()] != nil }
