package main_test

import (
	"bytes"
	"cmp"
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

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// toll counts what went wrong in runs that were killed.
type toll struct{ kills, orphans, duplicates, torn, back atomic.Int64 }

func (l *toll) String() string {
	return fmt.Sprintf("%d orphans, %d duplicates, %d torn files, serial back %d times",
		l.orphans.Load(), l.duplicates.Load(), l.torn.Load(), l.back.Load())
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

// kept is what the files of a local state say by themselves, whatever the
// program thinks of them.
type kept struct{ serial uint64 }

// readKept reads the files of the state in a directory. Any that is torn is an
// error. Where there is none the serial is 0.
func readKept(dir string, l *toll) (kept, error) {
	const state = "proximity.state."
	serial, err := readStateFile(filepath.Join(dir, state+"json"))
	versions, globErr := filepath.Glob(filepath.Join(dir, state+"versions", "*.json"))
	wrong := []error{err, globErr, readJournal(filepath.Join(dir, state+"journal")), readTrail(filepath.Join(dir, state+"trail"))}
	for _, name := range versions {
		_, err := readStateFile(name)
		wrong = append(wrong, err)
	}
	for _, err := range wrong {
		if err != nil {
			l.torn.Add(1)
		}
	}
	return kept{serial}, errors.Join(wrong...)
}

func readStateFile(name string) (serial uint64, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var file struct {
		Checksum string
		State    json.RawMessage
	}
	var inner struct{ Serial uint64 }
	err = errors.Join(err, json.Unmarshal(text, &file), json.Unmarshal(file.State, &inner))
	var compact bytes.Buffer
	if err == nil {
		err = json.Compact(&compact, file.State)
	}
	if err == nil && file.Checksum != "sha256:"+digest(compact.Bytes()) {
		err = errors.New("its checksum is wrong")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w:\n%s", name, err, text)
	}
	return inner.Serial, nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// readJournal takes a journal for torn when a line is not whole. Only the last
// one, which was being written, may be so.
func readJournal(name string) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lines := bytes.Split(bytes.TrimRight(text, "\x00"), []byte("\n"))
	for n, line := range lines[:len(lines)-1] {
		sum, rest, _ := bytes.Cut(line, []byte(" "))
		if string(sum) != digest(rest)[:len(sum)] || len(sum) < 16 {
			return fmt.Errorf("%s: line %d is torn: %q", name, n+1, line)
		}
	}
	return err
}

// readTrail takes a trail for torn when its lines do not follow each other, or
// tell of the same step twice.
func readTrail(name string) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	type place struct {
		Serial uint64
		Line   int
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
			return fmt.Errorf("%s: %w: %q", name, err, text)
		}
		if l.N != before.N+1 || l.Prev != before.Hash || told[l.place] {
			return fmt.Errorf("%s: line %d does not follow the one before, or is there twice: %s", name, l.N, text)
		}
		before, told[l.place] = l, true
	}
	return err
}

// notBefore is an error when state went back to an earlier serial.
func (k kept) notBefore(earlier kept, l *toll) error {
	if k.serial >= earlier.serial {
		return nil
	}
	l.back.Add(1)
	return fmt.Errorf("the serial went from %d back to %d", earlier.serial, k.serial)
}
