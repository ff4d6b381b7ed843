package pvesim

import (
	"errors"
	"fmt"
	"strings"
)

// errLineFeed is a template of notes that is not one line.
var errLineFeed = errors.New("contains a line feed")

// checkNotes is the error of a template for notes.
func checkNotes(template string) error {
	_, err := expandNotes(template, map[string]string{"cluster": "", "guestname": "", "node": "", "vmid": ""})
	return err
}

// expandNotes fills in a template for notes: variables in doubled braces, and the escapes \n and \\.
func expandNotes(template string, vars map[string]string) (string, error) {
	if strings.Contains(template, "\n") {
		return "", errLineFeed
	}
	var b strings.Builder
	for i := 0; i < len(template); {
		rest := template[i:]
		end := strings.Index(rest, "}}")
		switch {
		case strings.HasPrefix(rest, `\n`):
			b.WriteByte('\n')
			i += 2
		case strings.HasPrefix(rest, `\\`):
			b.WriteByte('\\')
			i += 2
		case strings.HasPrefix(rest, `\`):
			return "", fmt.Errorf("invalid escape sequence at char %d", i+2)
		case strings.HasPrefix(rest, "{{") && end > 0:
			name := rest[2:end]
			value, ok := vars[name]
			if !ok {
				return "", fmt.Errorf("found unknown: variable '%s' at char %d", name, i+4)
			}
			b.WriteString(value)
			i += end + 2
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return b.String(), nil
}
