package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

func (a *app) stateMvCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "mv FROM TO",
		Short: "Give what is recorded another address",
		Long: `Mv is for a block that was renamed, or got instances: what is recorded under the
old address is so under the new one. Nothing is done to the host; the next apply
writes the new address into the marker of the container. The address of a block
means all its instances, which keep their keys.`,
		Example: `  proximity state mv app.web app.site
  proximity state mv app.web 'app.web["blue"]'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("two addresses are expected: FROM and TO")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := addresses(args)
			if err != nil {
				return err
			}
			return a.withKeeper(func(e *engine) error { return e.rename(list[0], list[1]) })
		},
	}
}

func (a *app) stateRmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm ADDRESS...",
		Short: "Forget what is recorded, and leave the host as it is",
		Long: `Rm forgets what is recorded, after it has asked. Nothing is done to the host:
the container goes on, and nobody manages it. Take its block out of the
configuration as well: while that is there, the next plan takes the container
over again. The address of a block means all its instances.`,
		Example: `  proximity state rm app.web
  proximity state rm 'app.web["blue"]' backup_policy.nightly`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("at least one address is expected")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := addresses(args)
			if err != nil {
				return err
			}
			if err := a.mustBeAbleToAskOr(""); err != nil {
				return err
			}
			return a.withKeeper(func(e *engine) error { return e.forget(list) })
		},
	}
}

func addresses(texts []string) ([]addr.Addr, error) {
	var list []addr.Addr
	for _, text := range texts {
		a, err := addr.Parse(text)
		if err != nil {
			return nil, &exit{exitUsage, err}
		}
		list = append(list, a)
	}
	return list, nil
}

// edit opens a session for a change of the records themselves.
func (e *engine) edit(do func(ctx context.Context, session *state.Session) error) error {
	return e.withSession(func(_, ctx context.Context, session *state.Session) error {
		return explained(do(ctx, session), session)
	})
}

// explained adds to an error of an edit what can be done about it.
func explained(err error, session *state.Session) error {
	var (
		unknown *state.ErrUnknown
		open    *state.ErrOpen
	)
	switch {
	case errors.As(err, &unknown):
		return unknownAddresses([]addr.Addr{unknown.Addr}, recorded(session.State()))
	case errors.As(err, &open):
		return hinted{err, "proximity apply   (before it does anything else it finds that out)"}
	}
	return err
}

func (e *engine) rename(from, to addr.Addr) error {
	return e.edit(func(ctx context.Context, session *state.Session) error {
		var moves [][2]addr.Addr
		err := session.EditEach(context.WithoutCancel(ctx), func(st *state.State) (entries []state.Entry, err error) {
			if moves, err = st.Rename(from, to); err != nil {
				return nil, err
			}
			for _, m := range moves {
				entries = append(entries, edited("mv", st.Objects[m[1]], m[0], "is "+m[1].String()+" from now on"),
					edited("mv", st.Objects[m[1]], m[1], "was "+m[0].String()+" before"))
			}
			return entries, nil
		})
		if err != nil {
			return err
		}
		var d state.Difference
		var text string
		for _, m := range moves {
			d.Removed, d.Added = append(d.Removed, m[0]), append(d.Added, m[1])
			text += fmt.Sprintf("%s is %s now.\n", m[0], m[1])
		}
		return e.tellChange(change{"mv", session.State().Serial, d}, text[:len(text)-1])
	})
}

func edited(command string, o resource.Object, a addr.Addr, text string) state.Entry {
	return state.Entry{
		Action: command, Address: a.String(), Host: o.Host, ID: o.ID, Result: state.Succeeded, Text: text,
	}
}

func (e *engine) forget(list []addr.Addr) error {
	return e.edit(func(ctx context.Context, session *state.Session) error {
		objects, err := session.State().Forget(list) // of a copy
		if err != nil {
			return err
		}
		if !e.json {
			for _, o := range objects {
				if err := e.print(fmt.Sprintf("%s is to be forgotten; %s.\n", o.Addr, remains(o))); err != nil {
					return err
				}
			}
		}
		if err := e.approve(ctx, "Forget this?"); err != nil {
			return err
		}
		err = session.EditEach(context.WithoutCancel(ctx), func(st *state.State) (entries []state.Entry, err error) {
			_, err = st.Forget(list)
			for _, o := range objects {
				entries = append(entries, edited("rm", o, o.Addr, "forgotten; "+remains(o)))
			}
			return entries, err
		})
		if err != nil {
			return err
		}
		return e.tellForgotten(session.State().Serial, objects)
	})
}

func (e *engine) tellForgotten(serial uint64, objects []resource.Object) error {
	var d state.Difference
	stays := false
	for _, o := range objects {
		d.Removed = append(d.Removed, o.Addr)
		if o.Host == resource.NoHost {
			continue
		}
		stays = true
		back := "put its block back"
		if o.Addr.Kind == "app" {
			back += fmt.Sprintf(", or proximity adopt %s/%s %s", o.Host, o.ID, pasted(o.Addr.String()))
		}
		e.say(fmt.Sprintf("%s: nobody manages %s any more; to take it back %s", o.Addr, thing(o), back))
	}
	if stays {
		e.say("While a block of that address is in the configuration, the next plan takes it over again.")
	}
	return e.tellChange(change{"rm", serial, d}, fmt.Sprintf("Forgotten: %s.", join(d.Removed, 12)))
}

// remains says what is left of an object that state forgets.
func remains(o resource.Object) string {
	if o.Host == resource.NoHost {
		return "it was nowhere else, and is lost"
	}
	return thing(o) + " stays as it is"
}

// thing names an object as it is on its host.
func thing(o resource.Object) string {
	if o.Addr.Kind == "app" {
		return fmt.Sprintf("container %s on host %q", o.ID, o.Host)
	}
	return fmt.Sprintf("%s on host %q", o.ID, o.Host)
}
