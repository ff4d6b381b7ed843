package ui

import (
	"fmt"
	"strings"
	"time"
)

// Table returns rows of cells as aligned columns, two blanks apart. Foreign
// text is cleaned.
func Table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(Clean(cell)))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(pad(Clean(cell), widths[i]+2))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// Indent puts an indent before each line of a text.
func Indent(text, indent string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(indent + line)
	}
	return out.String()
}

// Bytes writes a size as people read it: "512 B", "12.3 KiB".
func Bytes(n int) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, word := float64(n)/unit, "KiB"
	if size >= unit {
		size, word = size/unit, "MiB"
	}
	return fmt.Sprintf("%.1f %s", size, word)
}

// Age writes how long ago something was, in its largest unit: "40s", "5m",
// "3h", "12d". What lies ahead, by a clock that jumped, is "0s".
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(0, d).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
