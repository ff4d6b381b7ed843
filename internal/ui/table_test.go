package ui_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/ui"
)

func TestATableIsAligned(t *testing.T) {
	require.Equal(t, "SERIAL  AGE\n7       3m\n", ui.Table([][]string{{"SERIAL", "AGE"}, {"7", "\x1b[1m3m"}}))
	require.Equal(t, "a\n", ui.Table([][]string{{"a", ""}}), "no blanks at the end of a line")
}

func TestSizesAndAges(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 12595: "12.3 KiB", 5 << 20: "5.0 MiB"} {
		require.Equal(t, want, ui.Bytes(n))
	}
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 40 * time.Second: "40s", 5 * time.Minute: "5m", 3 * time.Hour: "3h", 47 * time.Hour: "47h", 300 * time.Hour: "12d",
	} {
		require.Equal(t, want, ui.Age(d))
	}
}
