package cli

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

// voice is where talk goes: to stderr, or to the progress while there is one.
// It is safe for concurrent use, since an interrupt speaks at any time.
type voice struct {
	mu  sync.Mutex
	say func(string)
}

// Say passes a line of talk on.
func (v *voice) Say(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.say(text)
}

func (v *voice) to(say func(string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.say = say
}

// watch returns what shows the progress of a run with so many steps, and what
// ends it. In between, talk goes through it.
func (e *engine) watch(steps int) (ui.Progress, func()) {
	var p ui.Progress = e.lines
	if !e.json {
		p = ui.NewProgress(e.err, steps)
	}
	e.voice.to(p.Say)
	return p, func() {
		p.Close()
		e.voice.to(e.sayPlainly)
	}
}

// observers hears of events and passes them on to several.
type observers []apply.Observer

// Observe implements apply.Observer.
func (list observers) Observe(e apply.Event) {
	for _, o := range list {
		o.Observe(e)
	}
}

// talker tells of what is settled before a run.
func (e *engine) talker() ui.Progress {
	if e.json {
		return e.lines
	}
	return ui.NewPlain(e.err)
}

// who names this process to others that find the state locked.
func (e *engine) who() state.Who {
	w := state.Who{PID: os.Getpid(), Since: time.Now(), Command: e.command} // no arguments: they may hold secrets
	w.Host, _ = os.Hostname()                                               // empty tells enough
	if u, err := user.Current(); err == nil {
		w.User = u.Username
	} else {
		w.User = fmt.Sprint("uid ", os.Getuid())
	}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		w.Boot = strings.TrimSpace(string(boot))
	}
	return w
}
