package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// canAsk reports whether there is a person to ask.
func (a *app) canAsk() bool {
	in, ok := a.Stdin.(*os.File)
	return ok && !a.json && term.IsTerminal(int(in.Fd())) && a.err.Terminal()
}

// mustBeAbleToAsk fails when an approval will be needed that nobody can give.
// Commands call it before any work.
func (a *app) mustBeAbleToAsk() error { return a.mustBeAbleToAskOr(", or apply a plan file") }

// mustBeAbleToAskOr is mustBeAbleToAsk with what can be done beside --yes.
func (a *app) mustBeAbleToAskOr(otherwise string) error {
	switch {
	case a.yes || a.canAsk():
		return nil
	case a.json:
		return notApproved("with --json nothing is asked: approve with --yes" + otherwise)
	}
	return notApproved("there is no terminal to ask on: approve with --yes" + otherwise)
}

// approve asks the question and returns nil for "yes" alone. It asks nothing
// with --yes. An interrupt ends it.
func (a *app) approve(ctx context.Context, question string) error {
	if a.yes {
		return nil
	}
	fmt.Fprintf(a.err, "\n%s Only \"yes\" is accepted: ", question)
	answers := make(chan string, 1)
	go func() { // reading a terminal cannot be interrupted: it ends with the process
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		if err != nil {
			fmt.Fprintln(a.err) // the input ended on the line of the question
		}
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		return ctx.Err()
	case answer := <-answers:
		if answer != "yes" {
			return notApproved("not approved: nothing was changed")
		}
	}
	return nil
}
