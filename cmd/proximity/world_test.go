package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/state"
)

// toll counts what went wrong in runs that were killed.
type toll struct{ kills, open, forgotten, orphans, duplicates, torn, back atomic.Int64 }

func (l *toll) String() string {
	return fmt.Sprintf("%d orphans, %d duplicates, %d forgotten, %d torn files, serial back %d times",
		l.orphans.Load(), l.duplicates.Load(), l.forgotten.Load(), l.torn.Load(), l.back.Load())
}

// simulated is where the cluster of a host is kept.
func simulated(dir, host string) string { return filepath.Join(dir, ".proximity", "sim", host) }

// look returns what there is on a simulated cluster once nothing is at work.
func look(dir, host string) (pvesim.World, error) {
	sim, err := pvesim.Open(pvesim.Options{Dir: simulated(dir, host), Speed: 1000})
	if err != nil {
		return pvesim.World{}, err
	}
	world := sim.World()
	for len(world.Running) > 0 { // its time runs fast now
		world = sim.World()
	}
	return world, sim.Close()
}

// census is what a world has, in words that are the same for two worlds of
// equal content: without numbers, times and names that are drawn.
type census struct {
	ours   map[string]int // containers of ours, by address
	strays []string       // what belongs to nobody, or is only half there
	lines  []string       // all of it
}

var (
	drawn  = regexp.MustCompile(`"(lineage|nonce)\\*":\\*"[^"]*"|hwaddr=[0-9A-F:]+|(vm|subvol|base)-\d+-disk-\d+|[0-9a-f]{32} [0-9a-f]{16}|proximity-[a-z]+-[0-9a-f]{8}`)
	marked = regexp.MustCompile(`<!-- proximity (\{.*\}) -->`)
)

func count(w pvesim.World) census {
	c := census{ours: map[string]int{}}
	names := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(w.Guests)) {
		g := w.Guests[id]
		name := addressOf(g.Config["description"])
		if name != "" {
			c.ours[name]++
		}
		names[fmt.Sprint(id)] = cmp.Or(name, fmt.Sprint(id))
		if lock := g.Config["lock"]; lock != "" || len(g.Snaps) > 0 {
			c.strays = append(c.strays, fmt.Sprintf("guest %d (%s) is left with lock %q, snapshots %v", id, name, lock, g.Snaps))
		}
		c.add(cmp.Or(name, fmt.Sprint(id)), g.Node, g.Running, g.Pool, g.Config, g.Pending)
	}
	for key, v := range w.Volumes {
		_, isOwned := w.Guests[v.VMID]
		if v.Content == "rootdir" && !isOwned {
			c.strays = append(c.strays, "volume "+key+" is of no guest")
		}
		c.add("volume", key, v.Content, v.Size, names[fmt.Sprint(v.VMID)])
	}
	for id, job := range w.Jobs {
		job = maps.Clone(job)
		job["vmid"] = inNames(job["vmid"], names)
		c.add("job", id, job)
	}
	for id, members := range w.Pools {
		c.add("pool", id, len(members))
	}
	slices.Sort(c.lines)
	return c
}

func (c *census) add(parts ...any) {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // it is plain data
	}
	c.lines = append(c.lines, drawn.ReplaceAllString(string(text), "drawn"))
}

// addressOf returns the address in our marker, or "".
func addressOf(notes string) string {
	found := marked.FindStringSubmatch(notes)
	if found == nil {
		return ""
	}
	var m struct{ Addr string }
	_ = json.Unmarshal([]byte(found[1]), &m) // no marker of ours has no address
	return m.Addr
}

func inNames(ids string, names map[string]string) string {
	var all []string
	for _, id := range strings.Split(ids, ",") {
		all = append(all, names[id])
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// against says how a census differs from one of how all should be.
func (c census) against(want census, l *toll) error {
	var wrong []error
	for _, stray := range c.strays {
		l.orphans.Add(1)
		wrong = append(wrong, errors.New(stray))
	}
	for address, n := range c.ours {
		if n > 1 {
			l.duplicates.Add(1)
			wrong = append(wrong, fmt.Errorf("%s is there %d times", address, n))
		}
		if want.ours[address] == 0 {
			l.orphans.Add(1)
			wrong = append(wrong, fmt.Errorf("%s is left over", address))
		}
	}
	for _, line := range want.lines {
		if !slices.Contains(c.lines, line) {
			wrong = append(wrong, errors.New("missing: "+line))
		}
	}
	for _, line := range c.lines {
		if !slices.Contains(want.lines, line) {
			wrong = append(wrong, errors.New("too much: "+line))
		}
	}
	return errors.Join(wrong...)
}

// written is what a state's files say by themselves, whatever the program thinks of
// them.
type written struct {
	serial  uint64
	adopted []string // what was taken over, by the trail
}

// readLocal reads the files of the state in a directory. Any that is torn is an
// error. Where there is none the serial is 0.
func readLocal(dir string, l *toll) (written, error) {
	const state = "proximity.state."
	var wrong []error
	read := func(name string) []byte {
		text, err := os.ReadFile(name)
		if !errors.Is(err, fs.ErrNotExist) {
			wrong = append(wrong, err)
		}
		return text
	}
	present := read(filepath.Join(dir, state+"json"))
	journal, trail := read(filepath.Join(dir, state+"journal")), read(filepath.Join(dir, state+"trail"))
	names, err := filepath.Glob(filepath.Join(dir, state+"versions", "*.json"))
	wrong = append(wrong, err)
	var versions [][]byte
	for _, name := range names {
		versions = append(versions, read(name))
	}
	w, err := readAll(present, journal, trail, versions, l)
	return w, errors.Join(append(wrong, err)...)
}

// readStore is readLocal for what any store has.
func readStore(store state.Store, l *toll) (written, error) {
	ctx := context.Background()
	files, err := store.Load(ctx)
	trail, trailErr := store.Trail(ctx)
	versions, versionsErr := store.Versions(ctx)
	var old [][]byte
	for _, v := range versions {
		old = append(old, v.State)
	}
	w, wrong := readAll(files.State, files.Journal, trail, old, l)
	return w, errors.Join(err, trailErr, versionsErr, wrong)
}

func readAll(present, journal, trail []byte, versions [][]byte, l *toll) (written, error) {
	serial, err := readState(present)
	adopted, trailErr := readTrail(trail)
	wrong := []error{err, readJournal(journal), trailErr}
	for _, text := range versions {
		_, err := readState(text)
		wrong = append(wrong, err)
	}
	for _, err := range wrong {
		if err != nil {
			l.torn.Add(1)
		}
	}
	return written{serial, adopted}, errors.Join(wrong...)
}

// readState reads a state file, which may be missing.
func readState(text []byte) (serial uint64, err error) {
	if text == nil {
		return 0, nil
	}
	var file struct {
		Checksum, Header string
		State            json.RawMessage
		Sealed           []byte
	}
	var inner struct{ Serial uint64 }
	err = json.Unmarshal(text, &file)
	var content bytes.Buffer
	if err == nil && file.Header != "" {
		content.WriteString(file.Header + "\n" + string(file.Sealed))
	} else if err == nil {
		err = errors.Join(json.Unmarshal(file.State, &inner), json.Compact(&content, file.State))
	}
	if err == nil && file.Checksum != "sha256:"+digest(content.Bytes()) {
		err = errors.New("its checksum is wrong")
	}
	if err != nil {
		return 0, fmt.Errorf("state file: %w:\n%s", err, text)
	}
	return inner.Serial, nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// readJournal takes a journal for torn when a line is not whole. Only the last
// one, which was being written, may be so.
func readJournal(text []byte) error {
	lines := bytes.Split(bytes.TrimRight(text, "\x00"), []byte("\n"))
	for n, line := range lines[:len(lines)-1] {
		sum, rest, _ := bytes.Cut(line, []byte(" "))
		if len(sum) < 16 || string(sum) != digest(rest)[:len(sum)] {
			return fmt.Errorf("journal: line %d is torn: %q", n+1, line)
		}
	}
	return nil
}

// readTrail takes a trail for torn when its lines do not follow each other, or
// tell of the same step twice. It returns what was adopted.
func readTrail(text []byte) (adopted []string, err error) {
	type place struct {
		Serial uint64
		Line   int
		Entry  struct {
			At              time.Time
			Action, Address string
		}
	}
	type line struct {
		place
		N          uint64
		Prev, Hash string
	}
	var before line
	told := map[place]bool{}
	lines := strings.SplitAfter(string(text), "\n")
	for _, text := range lines[:len(lines)-1] {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("trail: %w: %q", err, text)
		}
		if l.N != before.N+1 || l.Prev != before.Hash || told[l.place] {
			return nil, fmt.Errorf("trail: line %d does not follow the one before, or is there twice: %s", l.N, text)
		}
		before, told[l.place] = l, true
		if l.Entry.Action == "adopt" {
			adopted = append(adopted, l.Entry.Address)
		}
	}
	return adopted, nil
}

// remembers is an error when something was taken over that nobody meant to: it
// was ours, and state had forgotten it.
func (w written) remembers(l *toll) error {
	if len(w.adopted) == 0 {
		return nil
	}
	l.forgotten.Add(1)
	return fmt.Errorf("state had forgotten %q, which the next run took over again", w.adopted)
}

// notBefore is an error when state went back to an earlier serial.
func (w written) notBefore(earlier written, l *toll) error {
	if w.serial >= earlier.serial {
		return nil
	}
	l.back.Add(1)
	return fmt.Errorf("the serial went from %d back to %d", earlier.serial, w.serial)
}
