package proxmox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// recorded gives one answer of a real node to every request.
type recorded struct{ body json.RawMessage }

func (r recorded) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(r.body))}, nil
}

// Every configuration, listing and job that a real node was seen to answer is
// understood, and what is read conforms to the schema.
func TestAnswersOfARealNodeAreUnderstood(t *testing.T) {
	dir := cmp.Or(os.Getenv("PVE_RECORDINGS"), "../../../testdata/recordings")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	config, pending := regexp.MustCompile(`/lxc/[^/]+/config$`), regexp.MustCompile(`/lxc/[^/]+/pending$`)
	read := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for path, bodies := range recordedReads(t, text) {
			for _, body := range bodies {
				client, err := pve.New(pve.Options{TokenID: "a@pve!b", TokenSecret: "s", Transport: recorded{body}})
				require.NoError(t, err)
				p := New(Options{Client: client})
				switch {
				case config.MatchString(path), pending.MatchString(path):
					of := asSet
					if pending.MatchString(path) {
						of = withWaiting
					}
					cfg, err := p.readConfig(t.Context(), "n", "1", of)
					require.NoError(t, err, "%s %s", file, path)
					r := newReading(p.kinds["app"], cfg.coming, cty.NilVal, cty.NilVal)
					p.kinds["app"].Schema.Value(r.attrs())
					read["configuration"]++
				case path == "/cluster/resources":
					all, err := p.list(t.Context())
					require.NoError(t, err, file)
					all.survey("h", "9", resource.IDRange{})
					read["listing"]++
				case path == "/cluster/backup":
					jobs, err := p.listJobs(t.Context())
					require.NoError(t, err, file)
					for _, j := range jobs {
						p.kinds["backup_policy"].Schema.Value(j.attrs(""))
						read["job"]++
					}
				}
			}
		}
	}
	for _, what := range []string{"configuration", "listing", "job"} {
		require.NotZero(t, read[what], what)
	}
	t.Log(read)
}

// recordedReads returns the answers to the reads of one recording that went
// well, by path.
func recordedReads(t *testing.T, text []byte) map[string][]json.RawMessage {
	t.Helper()
	type exchange struct {
		Request  struct{ Method, Path string }
		Response struct {
			Status int
			Body   json.RawMessage
		}
	}
	var file struct {
		Steps []struct {
			exchange
			After    []exchange
			Parallel []exchange
		}
	}
	if json.Unmarshal(text, &file) != nil {
		return nil // no recording but the list of what varies
	}
	reads := map[string][]json.RawMessage{}
	for _, step := range file.Steps {
		for _, e := range append(append(step.After, step.Parallel...), step.exchange) {
			if (e.Request.Method == "GET" || e.Request.Method == "") && e.Response.Status == 200 {
				reads[e.Request.Path] = append(reads[e.Request.Path], e.Response.Body)
			}
		}
	}
	return reads
}
