package config

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
)

// LoadSettings reads only what the proximity block says, with the variables
// and locals that it uses: where state is kept has to be known also where the
// rest of the configuration is broken. The Config has nothing but its
// Settings. A directory without configuration has those of an empty block; one
// where the block may stand in a file that cannot be parsed is an error.
func LoadSettings(o Options) (*Config, diag.List) {
	dir, closeDir, err := openDirectory(o)
	if err != nil {
		return nil, diag.List{diag.Errorf(nil, "cannot open the configuration's directory", "%q: %s", o.Dir, plainCause(err))}
	}
	defer closeDir()
	o = o.complete()
	c, problems := inTime(maxTime, func() (*Config, diag.List) {
		w := newWorld(o, dir)
		return w.loadSettings(), w.problems
	})
	problems = problems.Sort()
	if problems.HasErrors() {
		return nil, problems
	}
	return c, problems
}

// loadSettings puts the problems of everything else aside, and takes them up
// again when the settings cannot be told.
func (w *world) loadSettings() *Config {
	c := &Config{world: w, Hosts: map[string]*Host{}}
	if names, err := w.dir.configuration(); err != nil || len(names) > 0 {
		w.parse()
	}
	aside := w.problems
	w.problems = nil
	w.declareForSettings()
	if w.settings == nil && w.hidden {
		w.problems = aside
		return nil
	}
	own := w.problems
	w.problems = nil
	w.setVariables(nil)
	w.base.Variables = w.globals()
	for _, name := range slices.Sorted(maps.Keys(w.locals)) {
		w.locals[name].expression = w.compile(w.locals[name].source, names{where: "the proximity block"})
	}
	w.refuseCycles()
	w.settleLocals()
	aside = append(aside, w.problems...)
	w.problems = own
	c.Settings = w.evaluateSettings()
	if w.problems.HasErrors() {
		w.say(aside...) // one of them may be the cause
	}
	return c
}

// declareForSettings notes the proximity block, and what it may refer to.
func (w *world) declareForSettings() {
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "proximity"}, {Type: "locals"}, {Type: "variable", LabelNames: []string{"name"}},
	}}
	for _, body := range w.bodies {
		content, _, _ := body.PartialContent(schema) // what else is there, or wrong, is not asked for
		for _, b := range content.Blocks {
			if b.Type == "proximity" && w.settings != nil {
				w.say(declaredTwice(b.DefRange, w.settings.DefRange, "proximity"))
				continue
			}
			w.declareBlock(b)
		}
	}
	if w.o.instead != nil {
		w.declareInstead(schema)
	}
}

// declareInstead takes the proximity block of another file, and of what that
// declares beside it all that the directory does not.
func (w *world) declareInstead(schema *hcl.BodySchema) {
	content, _, _ := w.o.instead.PartialContent(schema)
	w.problems, w.settings = nil, &hcl.Block{Type: "proximity", Body: w.o.instead}
	for _, b := range content.Blocks {
		switch {
		case b.Type == "proximity":
			w.settings = b
		case b.Type == "variable" && w.variables[b.Labels[0]] == nil:
			w.declareBlock(b)
		case b.Type == "locals":
			attrs, _ := b.Body.JustAttributes()
			for name, attr := range attrs {
				if w.locals[name] == nil {
					w.locals[name] = &local{at: attr.NameRange, source: attr.Expr}
				}
			}
		}
	}
}

// LoadSettingsOf is LoadSettings with the block of another file: one that has a
// proximity block, or right away what stands in one. It is read by
// Options.ReadFile and may use variables and locals of the directory and of its
// own; what else is in it does not count.
func LoadSettingsOf(o Options, name string) (*Config, diag.List) {
	o = o.complete()
	content, err := o.ReadFile(name)
	if err != nil {
		return nil, diag.List{diag.Errorf(nil, "cannot read the file", "%q: %s", name, plainCause(err))}
	}
	file, problems := parseFile(name, content)
	if file == nil || problems.HasErrors() {
		return nil, problems
	}
	o.instead = file.Body
	return LoadSettings(o)
}
