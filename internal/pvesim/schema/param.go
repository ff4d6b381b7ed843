package schema

import (
	"regexp"
	"sync"
)

// Kind is the JSON type of a parameter.
type Kind uint8

// The kinds of parameters. A property string is a String with Props.
const (
	String Kind = iota
	Integer
	Number
	Boolean
	Array
)

// String returns the name that Proxmox has for the kind, as in its error texts.
func (k Kind) String() string {
	return [...]string{"string", "integer", "number", "boolean", "array"}[k]
}

// Param says what one parameter must look like.
type Param struct {
	Kind           Kind
	Optional       bool
	Min, Max       *float64 // bounds of the value; nil: none
	MinLen, MaxLen int      // bounds of the length in characters; 0: none
	Enum           []string // allowed values, in the order of Proxmox's error text
	Default        string   // as text, "" for none; documentation only, Check fills in nothing
	Pattern        string   // the whole value must match
	Format         string   // a named format, "" for none
	Props          *Props   // the keys of a property string, nil when the value is none
	Requires       string   // another parameter that must be given too
	Items          *Param   // elements of an Array
	DefaultKey     bool     // in a property string: the key may be left out

	regexp func() *regexp.Regexp // of Pattern, compiled at its first use

	era        era
	older      *Param // how it was before olderUntil; nil: the same
	olderUntil Release
	release    Release // whose table it is in; zero in none yet
}

// Constructors make optional parameters, since most are; req turns one into a required parameter.

func text() *Param     { return &Param{Kind: String, Optional: true} }
func integer() *Param  { return &Param{Kind: Integer, Optional: true} }
func number() *Param   { return &Param{Kind: Number, Optional: true} }
func flag() *Param     { return &Param{Kind: Boolean, Optional: true} }
func digest() *Param   { return text().most(40) }
func configID() *Param { return text().as("pve-configid") }

// choice is a string out of a fixed set.
func choice(values ...string) *Param {
	p := text()
	p.Enum = values
	return p
}

// array is a list given as repeated keys or as a JSON array.
func array(items *Param) *Param { return &Param{Kind: Array, Optional: true, Items: items} }

// props is a property string with the given keys.
func props(p *Props) *Param {
	s := text()
	s.Props = p
	return s
}

func req(p *Param) *Param { p.Optional = false; return p }

func (p *Param) min(n float64) *Param          { p.Min = &n; return p }
func (p *Param) max(n float64) *Param          { p.Max = &n; return p }
func (p *Param) least(chars int) *Param        { p.MinLen = chars; return p }
func (p *Param) most(chars int) *Param         { p.MaxLen = chars; return p }
func (p *Param) or(value string) *Param        { p.Default = value; return p }
func (p *Param) as(format string) *Param       { p.Format = format; return p }
func (p *Param) needs(other string) *Param     { p.Requires = other; return p }
func (p *Param) keyless() *Param               { p.DefaultKey = true; return p }
func (p *Param) among(values ...string) *Param { p.Enum = values; return p }

// like sets the pattern. As in Perl a newline at the end does not count.
func (p *Param) like(pattern string) *Param {
	p.Pattern = pattern
	p.regexp = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A(?:` + pattern + `)\n?\z`)
	})
	return p
}
