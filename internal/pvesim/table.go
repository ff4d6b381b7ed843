package pvesim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// table is one kind of rows of the estate, by key. Rows are changed in place and reported with touch, so that only they are
// written to the log.
type table[T any] struct {
	name  string
	rows  map[string]*T
	dirty map[string]struct{}
	watch func(key string, row *T) // keeps an index; a nil row is gone
}

func newTable[T any](name string) *table[T] {
	return &table[T]{name: name, rows: map[string]*T{}, dirty: map[string]struct{}{}}
}

// at returns the row, or nil.
func (t *table[T]) at(key string) *T { return t.rows[key] }

func (t *table[T]) put(key string, row *T) {
	t.rows[key] = row
	t.touch(key)
}

// touch marks a row as changed.
func (t *table[T]) touch(key string) {
	t.dirty[key] = struct{}{}
	if t.watch != nil {
		t.watch(key, t.rows[key])
	}
}

func (t *table[T]) drop(key string) {
	if _, ok := t.rows[key]; ok {
		delete(t.rows, key)
		t.touch(key)
	}
}

// keys returns all keys in order.
func (t *table[T]) keys() []string { return slices.Sorted(maps.Keys(t.rows)) }

// all returns all rows in the order of their keys.
func (t *table[T]) all() []*T {
	rows := make([]*T, 0, len(t.rows))
	for _, key := range t.keys() {
		rows = append(rows, t.rows[key])
	}
	return rows
}

// ledger is what the log needs of a table, whatever its rows.
type ledger interface {
	title() string
	changes() (map[string]json.RawMessage, error) // since settle; null for dropped rows
	settle()
	apply(key string, row json.RawMessage) error
	clear()
	markAll()
}

func (t *table[T]) title() string { return t.name }
func (t *table[T]) settle()       { clear(t.dirty) }

func (t *table[T]) changes() (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(t.dirty))
	for key := range t.dirty {
		line, err := json.Marshal(t.rows[key])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", t.name, key, err)
		}
		out[key] = line
	}
	return out, nil
}

func (t *table[T]) apply(key string, raw json.RawMessage) error {
	if string(raw) == "null" {
		delete(t.rows, key)
	} else {
		row := new(T)
		if err := json.Unmarshal(raw, row); err != nil {
			return fmt.Errorf("%s %q: %w", t.name, key, err)
		}
		t.rows[key] = row
	}
	if t.watch != nil {
		t.watch(key, t.rows[key])
	}
	return nil
}

func (t *table[T]) clear() {
	for _, key := range t.keys() {
		delete(t.rows, key)
		if t.watch != nil {
			t.watch(key, nil)
		}
	}
	t.settle()
}

func (t *table[T]) markAll() {
	for key := range t.rows {
		t.dirty[key] = struct{}{}
	}
}
