package pvesim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// recording is a scenario recorded from a real node; the README beside the recordings describes the format.
type recording struct {
	Scenario string
	Title    string
	Seed     pvesim.Seed
	Steps    []recordedStep
}

type recordedStep struct {
	exchange
	Parallel []exchange
}

type exchange struct {
	Note     string
	Phase    string
	Pause    float64
	Request  recordedRequest
	Response recordedResponse
	Task     *recordedTask
	Bind     map[string][]any
	Poll     *struct {
		Path   []any
		Equals any
	}
	After []exchange
	CutTo *struct {
		Path     []any
		Elements int
	} `json:"cut_to"`
}

type recordedRequest struct {
	Method, Path string
	Query        any
	Form         map[string]any
	JSON         any
	Raw          *struct {
		ContentType *string `json:"content_type"`
		Text        string
		Repeat      []any
	}
	Multipart []struct {
		Name, Value string
		Filename    *string
		Content     string `json:"content_base64"`
	}
	Headers map[string]string
	Auth    string
}

type recordedResponse struct {
	Status      int
	Reason      string
	ContentType *string `json:"content_type"`
	Body        any
}

type recordedTask struct {
	Type       string   `json:"upid_type"`
	ID         string   `json:"id"`
	User       string   `json:"user"`
	Status     string   `json:"status"`
	ExitStatus string   `json:"exitstatus"`
	Log        []string `json:"log"`
}

// recordingsDir is the folder in PVE_RECORDINGS, which may be given as seen from the top of this repository, else the one
// beside this repository, else the copy within.
func recordingsDir() string {
	top := filepath.Join("..", "..")
	if named := os.Getenv("PVE_RECORDINGS"); named != "" {
		if _, err := os.Stat(named); err != nil && !filepath.IsAbs(named) {
			return filepath.Join(top, named)
		}
		return named
	}
	beside := filepath.Join(top, "..", "shared", "pve", "recordings")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	return filepath.Join(top, "testdata", "recordings")
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into), file)
}
