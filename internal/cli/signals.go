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
	soft, stopFirst := signal.NotifyContext(context.Background(), endSignals()...)
	hard, cancel := context.WithCancel(context.Background())
	unhook := context.AfterFunc(soft, func() {
		second, stopSecond := signal.NotifyContext(hard, endSignals()...)
		defer stopSecond()
		a.say("stopping: what has begun is finished first; once more to stop waiting for it")
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
