package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/local"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/ui"
)

// openStore returns the place that the configuration keeps state in. Nothing
// has been asked of it yet.
func (a *app) openStore() (state.Store, error) { return storeOf(a.config.Settings.State) }

// localStore keeps state in the working directory.
func localStore() state.Store { return local.New(".") }

// stores are the kinds of stores there are: what fills in each one's settings,
// and then makes it.
var stores = map[string]func(read func(fields) error) (state.Store, error){
	"local": func(read func(fields) error) (state.Store, error) {
		path := "."
		if err := read(fields{"path": &path}); err != nil {
			return nil, err
		}
		return local.New(path), nil
	},
	"postgres": func(read func(fields) error) (state.Store, error) {
		var c postgres.Config
		if err := read(fields{"url": &c.URL, "schema": &c.Schema, "name": &c.Name}); err != nil {
			return nil, err
		}
		return made(postgres.New(c))
	},
	"s3": func(read func(fields) error) (state.Store, error) {
		var c s3.Config
		if err := read(fields{
			"bucket": &c.Bucket, "key": &c.Key, "region": &c.Region, "endpoint": &c.Endpoint, "path_style": &c.PathStyle,
			"ca_file": &c.CAFile, "access_key": &c.AccessKey, "secret_key": &c.SecretKey, "token": &c.Token,
			"profile": &c.Profile, "sse": &c.SSE, "kms_key_id": &c.KMSKeyID,
		}); err != nil {
			return nil, err
		}
		return made(s3.New(c))
	},
	"http": func(read func(fields) error) (state.Store, error) {
		var c httpstore.Config
		if err := read(fields{
			"address": &c.Address, "lock_address": &c.LockAddress, "unlock_address": &c.UnlockAddress,
			"lock_method": &c.LockMethod, "unlock_method": &c.UnlockMethod, "update_method": &c.UpdateMethod,
			"username": &c.Username, "password": &c.Password, "token": &c.Token, "ca_file": &c.CAFile, "insecure": &c.Insecure,
			"retry_max": &c.RetryMax, "retry_wait_min": &c.RetryWaitMin, "retry_wait_max": &c.RetryWaitMax,
		}); err != nil {
			return nil, err
		}
		return made(httpstore.New(c))
	},
}

// made keeps the nil of a store that could not be made from looking like one.
func made[S state.Store](s S, err error) (state.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// fields are the settings of a store by name, each with where its value goes: a
// *string, *bool, **bool, *int or *time.Duration.
type fields map[string]any

// storeOf makes the store that a state block describes.
func storeOf(block config.StateStore) (state.Store, error) {
	open, known := stores[block.Type]
	if !known {
		return nil, invalid(diag.Errorf(&block.Range, "unknown state store", "there is no state store %q", block.Type).
			WithHint(`state "local" {}, or "postgres", "s3" or "http"`))
	}
	store, err := open(func(f fields) error { return fill(f, block) })
	var refused *exit
	if err == nil || errors.As(err, &refused) {
		return store, err
	}
	problem := diag.Errorf(&block.Range, "the state store cannot be used", "%s", err)
	var hinter ui.Hinter
	if errors.As(err, &hinter) {
		problem = problem.WithHint("%s", hinter.Hint())
	}
	return nil, invalid(problem)
}

// fill takes the settings that a state block has. All that is wrong with them is
// one error.
func fill(f fields, block config.StateStore) error {
	var problems diag.List
	for _, name := range slices.Sorted(maps.Keys(block.Attributes)) {
		at := block.Ranges[name]
		into, known := f[name]
		if !known {
			problems = append(problems, diag.Errorf(&at, "unknown setting", "the state store %q has no setting %q", block.Type, name).
				WithHint("it has: %s", strings.Join(slices.Sorted(maps.Keys(f)), ", ")))
			continue
		}
		if err := set(into, block.Attributes[name]); err != nil {
			problems = append(problems, diag.Errorf(&at, "wrong value", "%s: %s", name, err))
		}
	}
	if len(problems) > 0 {
		return &exit{exitInvalid, problems.Err()}
	}
	return nil
}

// set puts a value where a setting is kept. What is null stays as it is. The
// value is never part of the error: it may be a secret.
func set(into any, v cty.Value) error {
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		return nil
	}
	switch into := into.(type) {
	case *string:
		return convertInto(into, v, cty.String, "a string")
	case *bool:
		return convertInto(into, v, cty.Bool, "true or false")
	case **bool:
		*into = new(bool)
		return convertInto(*into, v, cty.Bool, "true or false")
	case *int:
		return convertInto(into, v, cty.Number, "a whole number")
	case *time.Duration:
		var text string
		if err := convertInto(&text, v, cty.String, `a duration such as "5s"`); err != nil {
			return err
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return errors.New(`it has to be a duration such as "5s"`)
		}
		*into = d
		return nil
	}
	return fmt.Errorf("the program keeps it in a %T", into) // cannot happen: stores has none
}

func convertInto(into any, v cty.Value, want cty.Type, words string) error {
	v, err := convert.Convert(v, want)
	if err == nil {
		err = gocty.FromCtyValue(v, into)
	}
	if err != nil {
		return errors.New("it has to be " + words)
	}
	return nil
}

func invalid(d diag.Diagnostic) error { return &exit{exitInvalid, diag.List{d}.Err()} }
