package pve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The types of this file decode what Proxmox gives now as a number and then as
// a string. Null and the empty string are the zero value.

// Int is a whole number; fractions are cut off.
type Int int64

// UnmarshalJSON reads 5, "5", 5.0, true and null.
func (n *Int) UnmarshalJSON(data []byte) error {
	text, err := scalar(data)
	if err != nil || text == "" {
		*n = 0
		return err
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		*n = Int(whole)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return fmt.Errorf("%q is no number", text)
	}
	*n = Int(f)
	return nil
}

// Float is a number.
type Float float64

// UnmarshalJSON reads 1.5, "1.5", true and null.
func (n *Float) UnmarshalJSON(data []byte) error {
	text, err := scalar(data)
	if err != nil || text == "" {
		*n = 0
		return err
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%q is no number", text)
	}
	*n = Float(f)
	return nil
}

// Bool is a truth value.
type Bool bool

// UnmarshalJSON reads 1, "1", true, "yes", "on" and their opposites.
func (b *Bool) UnmarshalJSON(data []byte) error {
	text, err := scalar(data)
	*b = Bool(IsOn(text))
	return err
}

// IsOn reads a truth value as it stands inside property strings.
func IsOn(text string) bool {
	switch strings.ToLower(text) {
	case "1", "on", "yes", "true":
		return true
	}
	return false
}

// Text is a string, also when it came as a number.
type Text string

// UnmarshalJSON reads "a", 5 and null.
func (t *Text) UnmarshalJSON(data []byte) error {
	text, err := scalar(data)
	*t = Text(text)
	return err
}

// scalar returns the text of a JSON string, number or truth value; true is 1
// and false 0, as Proxmox writes them.
func scalar(data []byte) (string, error) {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0, string(data) == "null":
		return "", nil
	case string(data) == "true":
		return "1", nil
	case string(data) == "false":
		return "0", nil
	case data[0] == '"':
		var text string
		err := json.Unmarshal(data, &text)
		return text, err
	case data[0] == '{' || data[0] == '[':
		return "", fmt.Errorf("expected one value, got %.20s", data)
	}
	return string(data), nil
}
