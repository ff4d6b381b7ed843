package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible starts to listen to signals. The first SIGINT, SIGTERM or
// SIGHUP ends soft: nothing new is begun. The next one ends hard as well:
// nothing is waited for. Stop ends the listening.
func (a *app) interruptible() (soft, hard context.Context, stop func()) {
	// A reader that goes away (| head, a closed session) must not end an apply
	// half-way: with a listener for SIGPIPE the write errs instead.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	soft, stopFirst := signal.NotifyContext(context.Background(), endSignals()...)
	hard, cancel := context.WithCancel(context.Background())
	unhook := context.AfterFunc(soft, func() {
		second, stopSecond := signal.NotifyContext(hard, endSignals()...)
		defer stopSecond()
		a.say("interrupted: nothing new starts; once more to stop waiting for what has begun")
		<-second.Done()
		cancel()
	})
	a.soft = soft
	return soft, hard, func() {
		if unhook() { // no signal came: ending soft must not look like one
			a.soft = nil
		}
		stopFirst()
		cancel()
	}
}

func endSignals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
}
