package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/local"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
	"github.com/proximity-cli/proximity/internal/state/statetest/pgserver"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// kept is a place of its own for the state of one script.
type kept struct {
	block string            // in the proximity block
	env   map[string]string // that the block refers to
	store state.Store
	dump  func() (string, error) // all that the place holds; nil: it is in the script's files

	kind string
	log  func(format string, args ...any)
}

// keptIn returns, for each kind of store, what makes such places: dir is that of
// the script, name one that no other script has.
func keptIn(t *testing.T) map[string]func(dir, name string) (kept, error) {
	pg, bucket, gitlab := pgserver.Start(t), s3server.Start(t), gitlabserver.Start(t)
	return map[string]func(dir, name string) (kept, error){
		"local": func(dir, _ string) (kept, error) {
			return kept{block: `state "local" {}`, store: local.New(dir)}, nil
		},
		"postgres": func(_, name string) (k kept, err error) {
			schema := pg.Schema()
			k.block = fmt.Sprintf("state \"postgres\" {\n    url    = env(\"STATE_URL\")\n    schema = %q\n    name   = %q\n  }", schema, name)
			k.env = map[string]string{"STATE_URL": pg.URL()}
			k.store, err = postgres.New(postgres.Config{URL: pg.URL(), Schema: schema, Name: name})
			k.dump = func() (string, error) { return rowsOf(pg.URL(), schema) }
			return k, err
		},
		"s3": func(_, name string) (k kept, err error) {
			k.block = fmt.Sprintf("state \"s3\" {\n    bucket   = %q\n    key      = \"${var.team}/%s\"\n    endpoint = %q\n  }", bucket.Bucket, name, bucket.Endpoint)
			k.env = map[string]string{"AWS_ACCESS_KEY_ID": bucket.AccessKey, "AWS_SECRET_ACCESS_KEY": bucket.SecretKey}
			k.store, err = s3.New(s3.Config{Bucket: bucket.Bucket, Key: "home/" + name, Endpoint: bucket.Endpoint,
				AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey})
			k.dump = func() (string, error) { return dumpOf(k.store) }
			return k, err
		},
		"http": func(_, name string) (k kept, err error) {
			k.block = fmt.Sprintf("state \"http\" {\n    address = %q\n  }", gitlab.Address(name))
			k.env = map[string]string{"TF_HTTP_USERNAME": gitlabserver.Maintainer, "TF_HTTP_PASSWORD": gitlabserver.MaintainerToken}
			k.store, err = httpstore.New(httpstore.Config{Address: gitlab.Address(name),
				Username: gitlabserver.Maintainer, Password: gitlabserver.MaintainerToken})
			k.dump = func() (string, error) { return string(gitlab.Document(name)), nil }
			return k, err
		},
	}
}

// TestStores plays each script on each kind of store, at real servers, with the
// program as people get it: under the race detector a passphrase takes seconds. The
// scripts have these verbs beside the usual ones and those of TestScripts:
//
//	hold    holds the lock of the state until the script ends or it is broken
//	STORE   is set to the kind: scripts ask for it as a condition, [local]
func TestStores(t *testing.T) {
	kinds, bin := keptIn(t), filepath.Dir(buildProgram(t, ""))
	t.Run("each", func(t *testing.T) { // so that the servers outlive what runs at the same time
		for kind, place := range kinds {
			t.Run(kind, func(t *testing.T) { playOn(t, bin, kind, place) })
		}
	})
}

// rowsOf returns every row of the tables in a schema, bytes as hexadecimal digits.
func rowsOf(url, schema string) (string, error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var text string
	for _, table := range []string{"states", "versions", "journal", "trail"} {
		rows, err := conn.Query(ctx, "select t::text from "+pgx.Identifier{schema, table}.Sanitize()+" t")
		if err != nil {
			return "", err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return "", err
		}
		text += strings.Join(lines, "\n")
	}
	return text, nil
}

// dumpOf returns all that a store has to give.
func dumpOf(store state.Store) (string, error) {
	files, err := store.Load(context.Background())
	if err != nil {
		return "", err
	}
	trail, err := store.Trail(context.Background())
	if err != nil {
		return "", err
	}
	text := string(files.State) + string(files.Journal) + string(trail)
	versions, err := store.Versions(context.Background())
	for _, v := range versions {
		text += string(v.State)
	}
	return text, err
}

type keptKey struct{}

func playOn(t *testing.T, bin, kind string, place func(dir, name string) (kept, error)) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/stores", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			k, err := place(env.WorkDir, filepath.Base(env.WorkDir))
			if err != nil {
				return err
			}
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", raceOptions)
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			for name, value := range k.env {
				env.Setenv(name, value)
			}
			k.kind, k.log = kind, t.Logf
			env.Values[keptKey{}], env.Values[plantedKey{}] = k, &planted{secrets: k.secrets(), seen: map[string]string{}}
			sealed, err := os.ReadFile(filepath.Join(env.WorkDir, "encryption.hcl"))
			if err == nil && len(sealed) > 0 {
				k.block += "\n\n  encryption {\n    passphrase     = local.passphrase\n    old_passphrase = env(\"OLD_PASSPHRASE\")\n  }"
			}
			text := "variable \"team\" { default = \"home\" }\n\nproximity {\n  " + k.block + "\n}\n"
			return os.WriteFile(filepath.Join(env.WorkDir, "store.hcl"), []byte(text), 0o600)
		},
		Condition: func(condition string) (bool, error) { return condition == kind, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "apply": applyAndPlan, "interrupt": interrupt, "hold": holdStore, "pve": request,
			"plant": plant, "learn": learn, "estate": servedEstate, "betray": betray, "watched": watched, "nowhere": nowhere,
		},
	})
}

// secrets are what opens the place.
func (k kept) secrets() map[string]string {
	secrets := map[string]string{}
	for name, value := range k.env {
		if strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD") {
			secrets[name] = value
		}
	}
	if u, err := url.Parse(k.env["STATE_URL"]); err == nil && u.User != nil {
		secrets["the password in STATE_URL"], _ = u.User.Password()
	}
	return secrets
}

func holdStore(ts *testscript.TestScript, _ bool, _ []string) {
	_, lock, err := ts.Value(keptKey{}).(kept).store.Lock(context.Background(), state.Who{
		ID: "c0ffee", User: "kim", Host: "desk", PID: 4711, Command: "proximity apply", Since: time.Now().Add(-3 * time.Hour),
	})
	ts.Check(err)
	ts.Defer(func() { _ = lock.Unlock() }) // a script may have broken it
}
