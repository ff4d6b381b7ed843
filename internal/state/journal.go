package state

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
)

// event is what one line of the journal tells, or one of several that were
// written at the same time. Lineage and Serial are those of the state file it
// follows: a journal that survived its own folding, or lies beside another
// state, is known by them. Lineage is only in events that begin a step.
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
	Found   string      `json:"found,omitempty"` // by a later run that settled the step
	At      time.Time   `json:"at,omitzero"`
}

// encodeLine returns events as one line: a checksum, a blank, JSON. One event
// stands by itself, several in a list; sealed, the JSON is one string.
func (c codec) encodeLine(events []event) ([]byte, error) {
	var content any = events
	if len(events) == 1 {
		content = events[0]
	}
	text, err := json.Marshal(content)
	if err == nil && c.box != nil {
		var sealed []byte
		if sealed, err = c.box.Seal(text); err == nil {
			text, err = json.Marshal(base64.StdEncoding.EncodeToString(sealed))
		}
	}
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s\n", lineSum(text), text), nil
}

// lineSum is the start of a SHA-256: enough to see a torn or altered line.
func lineSum(text []byte) string { return checksum(text)[len("sha256:"):][:16] }

// decodeLines reads a journal. A last line that is torn was being written when
// the process died, and nothing was done on its account: it is left out. Any
// other line that is not as it was written is damage.
func (c codec) decodeLines(data []byte) ([]event, error) {
	var events []event
	for at, n := 0, 1; at < len(data); n++ {
		line, rest, hasEnd := bytes.Cut(data[at:], []byte("\n"))
		told, err := c.decodeLine(line)
		switch {
		case err == nil:
			events = append(events, told...)
		case len(rest) == 0 && c.isTorn(line, at, hasEnd):
			return events, nil
		case errors.Is(err, errLine):
			return nil, c.damaged("journal", "line %d is not as it was written", n)
		default:
			return nil, c.damaged("journal", "line %d: %v", n, err)
		}
		at = len(data) - len(rest)
	}
	return events, nil
}

// sector is the least that a disk writes at once.
const sector = 512

// isTorn tells a last line that a crash cut from one that was altered. A crash
// cuts between sectors: it leaves a line without its end, or zeros where a
// sector never reached the disk. It leaves neither a line whole save for its
// line break, nor a single zero in the middle, nor one byte among the zeros
// that follow the lines in a file.
func (c codec) isTorn(line []byte, at int, hasEnd bool) bool {
	zeros := bytes.Count(line, []byte{0})
	others := len(line) - zeros
	switch {
	case hasEnd:
		return others > 0 && (zeros > 1 || zeros == 1 && line[0] == 0 && at%sector == sector-1)
	case others == 1:
		return zeros == 0 && at%sector == sector-1
	}
	_, err := c.decodeLine(line[:max(0, len(line)-1)])
	return err != nil
}

var errLine = errors.New("checksum")

func (c codec) decodeLine(line []byte) ([]event, error) {
	sum, text, _ := bytes.Cut(line, []byte(" "))
	if string(sum) != lineSum(text) {
		return nil, errLine
	}
	if bytes.HasPrefix(text, []byte(`"`)) {
		var err error
		if text, err = c.unsealLine(text); err != nil {
			return nil, err
		}
	}
	if bytes.HasPrefix(text, []byte("[")) {
		var several []event
		return several, strict(text, &several)
	}
	one := make([]event, 1)
	return one, strict(text, &one[0])
}

func (c codec) unsealLine(text []byte) ([]byte, error) {
	if c.box == nil {
		return nil, errors.New("it is encrypted, and the state file is not")
	}
	var sealed []byte
	if err := json.Unmarshal(text, &sealed); err != nil {
		return nil, err
	}
	return c.box.Unseal(sealed)
}

// replay brings a state up to date with its journal, and returns what the
// trail says of the steps that ended in it. Events of an earlier serial were
// folded already, or come from a run that had lost the lock and was not let do
// what they announce.
func (c codec) replay(s *State, events []event) ([]placed, error) {
	for _, e := range events {
		if e.Lineage != "" && e.Lineage != s.Lineage {
			return nil, c.damaged("journal", "it belongs to another state, of the lineage %s", e.Lineage)
		}
	}
	var ended []placed
	for i, e := range events {
		if e.Serial < s.Serial {
			continue
		}
		if e.Serial > s.Serial {
			return nil, c.damaged("journal", "it follows serial %d, but the state file has serial %d", e.Serial, s.Serial)
		}
		if entry, ok := e.entry(s); ok {
			ended = append(ended, placed{e.Serial, i + 1, entry})
		}
		if err := c.apply(s, e); err != nil {
			return nil, c.damaged("journal", "%v", err)
		}
	}
	return ended, nil
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
		if s.Open[at].Task != "" {
			s.Open[at].Earlier = append(slices.Clone(s.Open[at].Earlier), s.Open[at].Task)
		}
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

// entry returns what the trail says of a step that has ended. Before is the
// state as it was just before.
func (e event) entry(before *State) (Entry, bool) {
	at := slices.IndexFunc(before.Open, func(i Intent) bool { return i.Seq == e.Seq })
	if e.End == nil || at < 0 {
		return Entry{}, false
	}
	i := before.Open[at]
	out := Entry{
		At: e.End.At, Took: max(0, e.End.At.Sub(i.At).Seconds()), By: i.By, Plan: i.Plan, Address: i.Addr.String(),
		Action: i.Action, Host: i.Host, ID: i.ID, Edits: i.Edits, Result: Succeeded,
	}
	if i.Task != "" {
		out.Tasks = append(slices.Clone(i.Earlier), i.Task)
	}
	if e.End.Object != nil {
		out.ID = e.End.Object.ID
	}
	switch {
	case e.End.Found != "":
		out.Result, out.Text = Settled, e.End.Found
	case e.End.Error != "":
		out.Result, out.Text = FailedRun, e.End.Error
	}
	return out, true
}
