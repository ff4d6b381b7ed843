package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// sizePattern has the two halves of a size: its number and its unit.
var sizePattern = regexp.MustCompile(`^([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)$`)

// sizeUnits are the units of sizes, in bytes. Decimal units (MB, GB) are not
// among them: Proxmox means powers of two when it writes them, the labels of
// disks powers of ten.
var sizeUnits = map[string]int64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50,
}

// fault is what is wrong with a value, and what can be written instead; the
// hint may be empty.
type fault struct{ text, hint string }

func (f *fault) Error() string { return f.text }

// ParseSize reads a size such as "512MiB" or "1.5 GiB" as bytes.
func ParseSize(text string) (cty.Value, error) {
	parts := sizePattern.FindStringSubmatch(text)
	if parts == nil {
		return cty.NilVal, sizeFault(text)
	}
	unit, ok := sizeUnits[parts[2]]
	if !ok {
		return cty.NilVal, unitFault(text, parts[1], parts[2])
	}
	n, ok := new(big.Rat).SetString(parts[1])
	if !ok {
		return cty.NilVal, sizeFault(text)
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	if !n.IsInt() {
		return cty.NilVal, &fault{text: fmt.Sprintf("%q is no whole number of bytes", text)}
	}
	return cty.NumberVal(new(big.Float).SetInt(n.Num())), nil
}

func sizeFault(text string) error {
	if _, err := cty.ParseNumberVal(text); err == nil {
		return &fault{fmt.Sprintf("%q has no unit", text), fmt.Sprintf("%q", text+likelyUnit(text))}
	}
	return &fault{fmt.Sprintf("%q is not a size", text), `write a number with a unit: "512MiB" or "4GiB"`}
}

func unitFault(text, number, unit string) error {
	initial := strings.ToUpper(unit[:1])
	if guess := initial + "iB"; sizeUnits[guess] > 0 && len(unit) <= 3 {
		return &fault{fmt.Sprintf("%q: the units are KiB, MiB, GiB and TiB, powers of 1024", text), fmt.Sprintf("%q", number+guess)}
	}
	return &fault{fmt.Sprintf("%q: %s is no unit of size", text, unit), `write "512MiB" or "4GiB"`}
}

// likelyUnit guesses what a bare number means: small ones are gibibytes.
func likelyUnit(number string) string {
	if len(strings.TrimLeft(number, "-")) <= 2 {
		return "GiB"
	}
	return "MiB"
}

// ParseDuration reads a duration such as "90s" or "2h30m" as seconds.
func ParseDuration(text string) (cty.Value, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return cty.NumberVal(new(big.Float).Quo(big.NewFloat(float64(d)), big.NewFloat(float64(time.Second)))), nil
	}
	if n, err := cty.ParseNumberVal(text); err == nil {
		return cty.NilVal, &fault{fmt.Sprintf("%q has no unit", text), fmt.Sprintf("%q", n.AsBigFloat().Text('f', -1)+"s")}
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := cty.ParseNumberVal(days); err == nil {
			hours := new(big.Float).Mul(n.AsBigFloat(), big.NewFloat(24))
			return cty.NilVal, &fault{fmt.Sprintf("%q: days are not a unit", text), fmt.Sprintf("%q", hours.Text('f', -1)+"h")}
		}
	}
	return cty.NilVal, &fault{fmt.Sprintf("%q is not a duration", text), `write "90s", "5m" or "26h"`}
}

// inUnit reads what people wrote for a number that has a unit. The value is
// known, not null and unmarked. A bare number is refused, since nobody can tell
// what it means.
func inUnit(unit resource.Unit, v cty.Value) (cty.Value, error) {
	parse := ParseSize
	if unit == resource.Duration {
		parse = ParseDuration
	}
	switch v.Type() {
	case cty.String:
		return parse(v.AsString())
	case cty.Number:
		number := v.AsBigFloat().Text('f', -1)
		_, err := parse(number)
		if f, ok := err.(*fault); ok {
			f.text = fmt.Sprintf("the number %s has no unit", number)
		}
		return cty.NilVal, err
	}
	return cty.NilVal, &fault{text: "a string with a unit is needed"}
}
