package proxmox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// config is the configuration of one container.
type config struct {
	// coming holds the values as they will be after the next stop, current those
	// in force. They are the same while nothing waits.
	coming, current map[string]string
	waiting         []string // keys that differ between the two, sorted
	raw             []string // lines of lxc itself, which Proxmox only passes on
}

func (c config) digest() string { return c.coming["digest"] }

// view says how much of a configuration to read.
type view int

const (
	// asSet is one request that tells a container as it is set, with what waits as
	// if it were in force already: all there is to know of one that does not run.
	asSet view = iota
	// withWaiting is one request that tells what is in force from what waits. It
	// leaves out the lines of lxc itself.
	withWaiting
	// inFull is both, and all there is to know: for the rare look at what nobody
	// manages.
	inFull
)

// viewOf returns the view for an ordinary look at a container with that status:
// only a running one can have changes that wait.
func viewOf(status string) view {
	if status == "running" {
		return withWaiting
	}
	return asSet
}

// fullViewOf returns the view for a look that has to see everything.
func fullViewOf(status string) view {
	if status == "running" {
		return inFull
	}
	return asSet
}

// readConfig reads a container's configuration, in one request unless the view
// is in full.
func (p *Provider) readConfig(ctx context.Context, node, id string, of view) (config, error) {
	switch of {
	case asSet:
		return p.readSet(ctx, node, id)
	case withWaiting:
		return p.readPending(ctx, node, id)
	}
	for try := 1; ; try++ {
		c, err := p.readPending(ctx, node, id)
		if err != nil {
			return config{}, err
		}
		set, err := p.readSet(ctx, node, id)
		if err != nil {
			return config{}, err
		}
		if c.raw = set.raw; c.digest() == set.digest() || try == fullTries {
			return c, nil
		}
	}
}

// fullTries is how often the two halves of a full configuration are read
// before they are taken as they are: each time it was changed in between.
const fullTries = 3

func (p *Provider) readSet(ctx context.Context, node, id string) (config, error) {
	var raw map[string]json.RawMessage
	if err := p.Client.Read(ctx, pve.Path("nodes", node, "lxc", id, "config"), nil, &raw); err != nil {
		return config{}, err
	}
	values := make(map[string]string, len(raw))
	c := config{coming: values, current: values}
	for key, value := range raw {
		if key == "lxc" {
			c.raw = rawLines(value)
			continue
		}
		var text pve.Text
		if err := json.Unmarshal(value, &text); err != nil {
			return config{}, fmt.Errorf("configuration of %s: %s: %w", id, key, err)
		}
		values[key] = string(text)
	}
	return c, nil
}

func (p *Provider) readPending(ctx context.Context, node, id string) (config, error) {
	var rows []struct {
		Key            string
		Value, Pending *pve.Text
		Delete         pve.Bool
	}
	if err := p.Client.Read(ctx, pve.Path("nodes", node, "lxc", id, "pending"), nil, &rows); err != nil {
		return config{}, err
	}
	c := config{coming: map[string]string{}, current: map[string]string{}}
	for _, r := range rows {
		if r.Value != nil {
			c.current[r.Key] = string(*r.Value)
			c.coming[r.Key] = string(*r.Value)
		}
		switch {
		case r.Pending != nil: // wins over a delete that came after it, as on a node
			c.coming[r.Key] = string(*r.Pending)
		case bool(r.Delete):
			delete(c.coming, r.Key)
		default:
			continue
		}
		c.waiting = append(c.waiting, r.Key)
	}
	slices.Sort(c.waiting)
	return c, nil
}

// rawLines reads [["lxc.key","value"],…]; what is not of that form is left out.
func rawLines(data json.RawMessage) []string {
	var pairs [][]pve.Text
	if json.Unmarshal(data, &pairs) != nil {
		return nil
	}
	var lines []string
	for _, pair := range pairs {
		if len(pair) != 2 {
			continue
		}
		key, value := string(pair[0]), string(pair[1])
		if strings.HasPrefix(key, "lxc.environment") { // only the name: the value may be a secret
			value, _, _ = strings.Cut(value, "=")
		}
		lines = append(lines, key+": "+value)
	}
	return lines
}

// slots returns the keys made of a word and a number, such as mp0, in the
// order of their numbers.
func slots(values map[string]string, word string) []string {
	var found []string
	for key := range values {
		if isSlot(key, word) {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return slotNumber(a, word) - slotNumber(b, word) })
	return found
}

func isSlot(key, word string) bool { return slotNumber(key, word) >= 0 }

func slotNumber(key, word string) int {
	digits, found := strings.CutPrefix(key, word)
	n, err := strconv.Atoi(digits)
	if !found || err != nil || n < 0 {
		return -1
	}
	return n
}

// freeSlot returns the first key of the word that is not taken.
func freeSlot(values map[string]string, word string) string {
	for n := 0; ; n++ {
		key := word + strconv.Itoa(n)
		if _, taken := values[key]; !taken {
			return key
		}
	}
}
