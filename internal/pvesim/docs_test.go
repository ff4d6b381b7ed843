package pvesim_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// What docs/simulator.md shows is taken as it stands there.
func TestDocumentedFiles(t *testing.T) {
	text, err := os.ReadFile("../../docs/simulator.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	require.Len(t, blocks, 2, "a seed and faults")
	strict := func(text []byte, into any) {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(into))
	}
	var options pvesim.Options
	strict(blocks[0][1], &options.Seed)
	strict(blocks[1][1], &options.Faults)
	a := openSim(t, options)
	require.Equal(t, "started", a.listed(100)["hastate"])

	_, table, _ := strings.Cut(string(text), "| field | meaning |")
	table, _, _ = strings.Cut(table, "```")
	known, err := json.Marshal(pvesim.Fault{
		Method: "x", Path: "x", Skip: 1, Count: 1, Probability: 1, Delay: 1, Status: 1, Message: "x", CloseConn: true, DropReply: true,
		CutBody: true, Late: 1, FailTask: "x", WarnTask: 1, KillTask: true, LoseTask: true,
		Before: []pvesim.FaultRequest{{}}, After: []pvesim.FaultRequest{{}},
	})
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(known, &fields))
	for name := range fields {
		require.Contains(t, table, "`"+name+"`", "a fault's field that is not described")
	}
}
