package local_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

func object(i int) resource.Object {
	return resource.Object{
		Addr: addr.New("thing", fmt.Sprint("t", i)), Host: "pve", ID: fmt.Sprint(100 + i), Schema: 1,
		Attrs: cty.ObjectVal(map[string]cty.Value{"label": cty.StringVal(strings.Repeat("words ", 80))}),
	}
}

func record(b *testing.B, s *state.Session, o resource.Object) {
	b.Helper()
	seq, err := s.Begin(b.Context(), state.Intent{Addr: o.Addr, Op: state.Put, Host: o.Host, ID: o.ID, Attrs: o.Attrs})
	if err == nil {
		err = s.Task(b.Context(), seq, "UPID:pve1:000003EB:000AFC88:6B0A707E:vzcreate:2000:root@pam!proximity:")
	}
	if err == nil {
		err = s.Done(b.Context(), seq, o.Addr, &o)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStep measures what state costs one step on disk, in a state of so
// many objects: the median of 500, of intent, task and result together. What a
// run does once, to read the state and to fold the journal, is measured beside.
func BenchmarkStep(b *testing.B) {
	for _, objects := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(objects), func(b *testing.B) { stepIn(b, objects) })
	}
}

func stepIn(b *testing.B, objects int) {
	store, o := local.New(b.TempDir()), state.Options{Kinds: kinds}
	_, s, err := state.Open(b.Context(), store, state.Who{}, o)
	if err != nil {
		b.Fatal(err)
	}
	fill := func(st *state.State) error {
		for i := range objects {
			one := object(i)
			st.Objects[one.Addr] = one
		}
		return nil
	}
	if err := s.Edit(b.Context(), state.Entry{}, fill); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var steps []time.Duration
		for i := range 500 {
			begin := time.Now()
			record(b, s, object(i*(objects/500)))
			steps = append(steps, time.Since(begin))
		}
		b.ReportMetric(float64(median(steps).Microseconds()), "µs/step")
		begin := time.Now()
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-to-fold")
		begin = time.Now()
		if _, s, err = state.Open(b.Context(), store, state.Who{}, o); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-to-open")
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
