package pve

import (
	"slices"
	"strings"
)

// Line is a property string such as "local:vm-100-disk-0,mp=/data,size=8G": one
// setting made of fields. It keeps fields it does not know, and their order.
type Line struct {
	first  string // the key of the field that may be written without one
	fields []field
}

// Field is one part of a line. A part without a key has none unless it is the
// first field.
type Field struct{ Key, Value string }

type field struct {
	key, value string
	bare       bool // written without its key
}

// ParseLine reads a property string in which one field may be written without
// its key, which then is first: it mostly comes first, but Proxmox takes it
// anywhere. Every text is a line, and String gives it back.
func ParseLine(text, first string) Line {
	l := Line{first: first}
	if text == "" {
		return l
	}
	for part := range strings.SplitSeq(text, ",") {
		key, value, hasKey := strings.Cut(part, "=")
		switch {
		case hasKey:
			l.fields = append(l.fields, field{key: key, value: value})
		case strings.TrimSpace(part) == "" || l.Has(first):
			l.fields = append(l.fields, field{value: part, bare: true})
		default:
			l.fields = append(l.fields, field{key: first, value: part, bare: true})
		}
	}
	return l
}

// String writes the line.
func (l Line) String() string {
	parts := make([]string, len(l.fields))
	for i, f := range l.fields {
		parts[i] = f.key + "=" + f.value
		if f.bare {
			parts[i] = f.value
		}
	}
	return strings.Join(parts, ",")
}

// Value returns a field's value, or "" when the line has no such field.
func (l Line) Value(key string) string {
	if i := l.index(key); i >= 0 {
		return l.fields[i].value
	}
	return ""
}

// Has reports whether the line has the field.
func (l Line) Has(key string) bool { return l.index(key) >= 0 }

// Fields returns the fields, in order.
func (l Line) Fields() []Field {
	all := make([]Field, len(l.fields))
	for i, f := range l.fields {
		all[i] = Field{f.key, f.value}
	}
	return all
}

// Set gives a field a value, in its place or else at the end. The empty value
// removes it. A change drops what is blank: Proxmox writes " " for an empty line.
func (l *Line) Set(key, value string) {
	if value == "" && !l.Has(key) {
		return
	}
	l.fields = slices.DeleteFunc(slices.Clone(l.fields), field.isBlank)
	i := l.index(key)
	switch {
	case value == "":
		l.fields = slices.Delete(l.fields, i, i+1)
	case i < 0 && key == l.first:
		l.fields = slices.Insert(l.fields, 0, field{key: key, value: value, bare: true})
	case i < 0:
		l.fields = append(l.fields, field{key: key, value: value})
	default:
		l.fields[i].value = value
	}
}

// Spell writes a field with its key, where that can be left out.
func (l *Line) Spell(key string) {
	if i := l.index(key); i >= 0 {
		l.fields = slices.Clone(l.fields)
		l.fields[i].bare = false
	}
}

func (f field) isBlank() bool { return f.key == "" && strings.TrimSpace(f.value) == "" }

func (l Line) index(key string) int {
	return slices.IndexFunc(l.fields, func(f field) bool { return f.key == key && key != "" })
}
