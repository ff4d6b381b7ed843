package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func TestOutcome(t *testing.T) {
	invalid := diag.List{diag.Errorf(nil, "wrong", "")}.Err()
	for _, c := range []struct {
		name string
		err  error
		code int
		says string // "": nothing more
	}{
		{"nothing", nil, 0, ""},
		{"any error", errors.New("no route"), 1, "no route"},
		{"changes", &exit{code: exitChanges}, 2, ""},
		{"unformatted", &exit{code: exitUnformatted}, 3, ""},
		{"invalid", &exit{exitInvalid, invalid}, 4, "wrong"},
		{"locked", fmt.Errorf("open: %w", &state.ErrLocked{Store: "s", Holder: state.Who{User: "kim"}}), 5, "locked by kim@"},
		{"stale", stale("p", "it moved"), 6, "stale: it moved"},
		{"in part", &exit{code: exitPartial}, 7, ""},
		{"not approved", notApproved("no"), 8, "no"},
		{"usage", usage{"proximity plan", errors.New("unknown flag")}, 64, "unknown flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, cause := outcome(c.err)
			require.Equal(t, c.code, code)
			if c.says == "" {
				require.NoError(t, cause)
			} else {
				require.ErrorContains(t, cause, c.says)
			}
		})
	}
}

func TestErrorsOfHostsSayWhatToDo(t *testing.T) {
	refused := fmt.Errorf("host %q: %w", "a", &pve.Error{Status: 401, Message: "no ticket"})
	unpinned := fmt.Errorf("host %q: %w", "b", pve.ErrPin)
	away := fmt.Errorf("host %q: %w", "c", &pve.Error{Status: 595, Message: "No route to host"})
	_, cause := outcome(multierror.Append(nil, refused, unpinned, away, &state.ErrDamaged{Store: "s", What: "state file", Why: "torn"}))
	text := ui.Error(cause, nil, ui.Style{})
	for _, hint := range []string{"hint: check the credentials", "hint: compare with", "hint: proximity state doctor", "hint: check endpoint"} {
		require.Contains(t, text, hint)
	}
}

// TestALockThatStaysIsToldHowToBreak: nobody but a person can free it.
// TestAHintOfTheStoreIsKept: it knows more than can be said of damage as such.
func TestAHintOfTheStoreIsKept(t *testing.T) {
	foreign := hinted{&state.ErrDamaged{Store: "s", What: "state file", Why: "foreign"}, "use another address"}
	_, cause := outcome(fmt.Errorf("read: %w", foreign))
	require.Contains(t, ui.Error(cause, nil, ui.Style{}), "hint: use another address")
}

func TestALockThatStaysIsToldHowToBreak(t *testing.T) {
	held := state.Who{ID: "5f0c", User: "kim", Host: "desk", Since: time.Now().Add(-3 * time.Hour)}
	for name, c := range map[string]struct {
		locked state.ErrLocked
		want   string
	}{
		"ends with its process": {state.ErrLocked{Holder: held}, "hint: wait until it has ended; a lock whose holder died is taken over by itself"},
		"stays":                 {state.ErrLocked{Holder: held, Stays: true}, "it is held for 3h; when it does not run any more: proximity state unlock 5f0c"},
		"stays without a name":  {state.ErrLocked{Stays: true}, "when it does not run any more: proximity state unlock"},
	} {
		_, cause := outcome(&c.locked)
		require.Contains(t, ui.Error(cause, nil, ui.Style{}), c.want, name)
	}
}

func TestInterruptedRunsEndWith130(t *testing.T) {
	soft, interrupt := context.WithCancel(context.Background())
	interrupt()
	for _, err := range []error{nil, context.Canceled, errors.New("a real problem"), &exit{code: exitPartial}} {
		a := testApp(t)
		a.soft = soft
		require.Equal(t, exitInterrupted, a.end(err), "%v", err)
	}
}
