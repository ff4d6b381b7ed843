package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proximity-cli/proximity/internal/addr"
)

// event is one line of the journal. Lineage and Serial are those of the state
// file it follows: a journal that survived its own folding, or lies beside
// another state, is known by them. Lineage is only in lines that begin a step.
type event struct {
	Lineage string      `json:"lineage,omitempty"`
	Serial  uint64      `json:"serial"`
	Seq     uint64      `json:"seq"`
	Begin   *fileIntent `json:"begin,omitempty"`
	Task    string      `json:"task,omitempty"`
	End     *end        `json:"end,omitempty"`
}

// end closes an intent. Object is what is there now; without one Removed says
// that nothing is, and neither that the record stays as it was.
type end struct {
	Addr    addr.Addr   `json:"address"`
	Object  *fileObject `json:"object,omitempty"`
	Removed bool        `json:"removed,omitempty"`
	Error   string      `json:"error,omitempty"`
}

// encodeLine returns an event as one line: a checksum, a blank, JSON.
func encodeLine(e event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return fmt.Appendf(nil, "%s %s\n", lineSum(text), text), nil
}

// lineSum is the start of a SHA-256: enough to see a torn or altered line.
func lineSum(text []byte) string { return checksum(text)[len("sha256:"):][:16] }

// decodeLines reads a journal. A last line that is torn was being written when
// the process died, and nothing was done on its account: it is left out. Torn
// is a line without its end, or with zero bytes where blocks never reached the
// disk. Any other line that is not as it was written is damage.
func (c codec) decodeLines(data []byte) ([]event, error) {
	var events []event
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if len(rest) == 0 && (!whole || bytes.IndexByte(line, 0) >= 0) {
			return events, nil
		}
		e, err := decodeLine(line)
		if err != nil {
			return nil, c.damaged("journal", "line %d is not as it was written", n)
		}
		events, data = append(events, e), rest
	}
	return events, nil
}

func decodeLine(line []byte) (event, error) {
	var e event
	sum, text, _ := bytes.Cut(line, []byte(" "))
	if string(sum) != lineSum(text) {
		return e, fmt.Errorf("checksum")
	}
	return e, strict(text, &e)
}

// replay brings a state up to date with its journal. It reports whether the
// journal belongs to the state; one of an earlier serial was folded already.
func (c codec) replay(s *State, events []event) (bool, error) {
	for _, e := range events {
		if e.Lineage != "" && e.Lineage != s.Lineage {
			return false, c.damaged("journal", "it belongs to another state, of the lineage %s", e.Lineage)
		}
	}
	if len(events) == 0 || events[0].Serial < s.Serial {
		return false, nil
	}
	for _, e := range events {
		if e.Serial != s.Serial {
			return false, c.damaged("journal", "it follows serial %d, but the state file has serial %d", e.Serial, s.Serial)
		}
		if err := c.apply(s, e); err != nil {
			return false, c.damaged("journal", "%v", err)
		}
	}
	return true, nil
}

func (c codec) apply(s *State, e event) error {
	at := slices.IndexFunc(s.Open, func(i Intent) bool { return i.Seq == e.Seq })
	switch {
	case e.Begin != nil:
		i, err := c.decodeIntent(*e.Begin)
		if err != nil {
			return err
		}
		s.Open = append(s.Open, i)
	case at < 0:
		return fmt.Errorf("step %d ends but never began", e.Seq)
	case e.End == nil:
		s.Open[at].Task = e.Task
	default:
		if e.End.Object != nil {
			o, err := c.decodeObject(*e.End.Object)
			if err != nil {
				return err
			}
			s.Objects[o.Addr] = o
		} else if e.End.Removed {
			delete(s.Objects, e.End.Addr)
		}
		s.Open = slices.Delete(s.Open, at, at+1)
	}
	return nil
}
