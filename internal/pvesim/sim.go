package pvesim

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Options say how a Sim is set up. The zero value is a cluster in memory, in real time, with the newest version.
type Options struct {
	Dir     string                          // directory that keeps the estate; "" keeps it in memory
	Seed    *Seed                           // what a new estate has; nil: Cluster()
	Speed   float64                         // simulated seconds per real second; 0: the estate's, of a new one 1
	Clock   Clock                           // for tests that control time; nil: real time × Speed
	Latency time.Duration                   // real time added to every answer
	Tasks   func(kind string) time.Duration // how long a task takes, in simulated time; nil: believable defaults
	PVE     string                          // version profile of a new estate; "": the seed's, else the newest
	Faults  []Fault
	Rand    uint64 // seed of everything random
}

// Sim is one estate behind its API. It is safe for concurrent use, and several processes may open one directory.
type Sim struct {
	options  Options
	handlers map[string]handler
	effects  map[string]effect
	profile  profile // set by load and not changed any more

	mu      sync.Mutex // guards what follows
	estate  *estate
	journal *journal // nil: in memory
	clock   Clock
	faults  []*Fault
	stats   Stats
}

// Open opens the estate in Options.Dir, or makes a new one from the seed.
func Open(options Options) (*Sim, error) {
	s := &Sim{
		options: options, handlers: handlers(), effects: effects(), estate: newEstate(), clock: options.Clock,
		stats: newStats(),
	}
	s.Inject(options.Faults...)
	if options.Dir != "" {
		journal, err := openJournal(options.Dir)
		if err != nil {
			return nil, fmt.Errorf("open estate %q: %w", options.Dir, err)
		}
		s.journal = journal
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open estate %q: %w", options.Dir, err), s.Close())
	}
	return s, nil
}

// load reads what there is and plants the seed when there is nothing.
func (s *Sim) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.hold(); err != nil {
		return err
	}
	if s.estate.meta.at("") == nil {
		if err := s.plant(); err != nil {
			return errors.Join(err, s.drop())
		}
	}
	s.setClock()
	if err := s.setProfile(); err != nil {
		return errors.Join(err, s.drop())
	}
	if s.journal != nil && s.journal.offset > compactAbove {
		for _, l := range s.estate.ledgers() {
			l.markAll()
		}
		record, err := s.changes()
		if err == nil {
			err = s.journal.compact(record)
		}
		return errors.Join(err, s.journal.release())
	}
	return s.drop()
}

// setProfile finds the release of the estate, which is that of its making.
func (s *Sim) setProfile() (err error) {
	made := s.estate.meta.at("").Version
	if want := s.options.PVE; want != "" && made != want {
		return fmt.Errorf("it was made with version %s, not %s", made, want)
	}
	s.profile, err = profileOf(made)
	return err
}

// setClock makes the clock of this process: simulated time goes on where the estate left it.
func (s *Sim) setClock() {
	if s.options.Clock != nil {
		return
	}
	m := s.estate.meta.at("")
	if want := s.options.Speed; want != 0 && m.Speed != want {
		before := fastClock{start: m.Start, realStart: m.RealStart, speed: m.Speed}
		m.Start, m.RealStart, m.Speed = before.Now(), time.Now(), want
		s.estate.meta.touch("")
	}
	s.clock = fastClock{start: m.Start, realStart: m.RealStart, speed: m.Speed}
}

// Close releases the estate. Tasks go on: the next process that opens the directory finds their results.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	return s.journal.close()
}

// Token returns the token that was made with the estate: root@pam!proximity, without privilege separation, unless the seed
// says otherwise. Both are "" when somebody deleted it.
func (s *Sim) Token() (id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.estate.tokens.at(s.estate.meta.at("").Token)
	if t == nil {
		return "", ""
	}
	return t.full(), t.Secret
}

// hold takes the estate for a transaction; drop writes what changed and gives it back. s.mu is held around both.
func (s *Sim) hold() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.hold(s.forget, s.replay)
}

func (s *Sim) drop() error {
	if s.journal == nil {
		for _, l := range s.estate.ledgers() {
			l.settle()
		}
		return nil
	}
	record, err := s.changes()
	if err == nil && len(record) > 0 {
		err = s.journal.append(record)
	}
	return errors.Join(err, s.journal.release())
}

// changes collects what changed since the last call.
func (s *Sim) changes() (entry, error) {
	record := entry{}
	for _, l := range s.estate.ledgers() {
		rows, err := l.changes()
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			record[l.title()] = rows
		}
		l.settle()
	}
	return record, nil
}

func (s *Sim) forget() {
	for _, l := range s.estate.ledgers() {
		l.clear()
	}
}

func (s *Sim) replay(e entry) error {
	for _, l := range s.estate.ledgers() {
		for key, row := range e[l.title()] {
			if err := l.apply(key, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// Transport returns a way to the API without a socket. It honours the contexts of requests, and its responses have the
// status line, headers and body that the wire has.
func (s *Sim) Transport() http.RoundTripper { return transport{s} }
