package s3_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// hint returns what a person is told to type.
func hint(t *testing.T, err error) string {
	t.Helper()
	hinted, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	require.True(t, ok, "%v has no hint", err)
	return hinted.Hint()
}

// requireNoSecret looks for the keys in an error and all that it wraps.
func requireNoSecret(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, secret := range append(secrets, "planted") {
			require.NotContains(t, err.Error(), secret)
		}
		if _, isOurs := err.(interface{ Hint() string }); isOurs {
			return // what it explains is shown to nobody
		}
	}
}

// everything calls each method of a store and returns their errors.
func everything(t *testing.T, store *s3.Store) []error {
	_, load := store.Load(t.Context())
	_, versions := store.Versions(t.Context())
	_, trail := store.Trail(t.Context())
	_, _, locked := store.Lock(t.Context(), state.Who{})
	return []error{load, versions, trail, locked, store.Break(t.Context(), "id")}
}

// requireProblem expects each method to say the same: where, and what.
func requireProblem(t *testing.T, store *s3.Store, text, hinted string) {
	t.Helper()
	for i, err := range everything(t, store) {
		require.Error(t, err, "method %d", i)
		require.Regexp(t, "^"+strings.ReplaceAll(store.String(), ".", `\.`)+": ", err.Error())
		require.Equal(t, 1, strings.Count(err.Error(), store.String()), err.Error())
		require.ErrorContains(t, err, text)
		require.Contains(t, hint(t, err), hinted)
		requireNoSecret(t, err)
	}
}

func TestWhatAStoreRefusesIsExplained(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, c := range []struct {
		name       string
		change     func(*s3.Config)
		text, hint string
	}{
		{"no bucket", func(c *s3.Config) { c.Bucket = "nowhere" }, `there is no bucket "nowhere"`, "aws s3 mb s3://nowhere --region us-east-1 --endpoint-url http://127.0.0.1:"},
		{"a wrong secret key", func(c *s3.Config) { c.SecretKey = "planted-wrong" }, "the secret key is not that of the access key", "aws s3 ls s3://states"},
		{"an unknown access key", func(c *s3.Config) { c.AccessKey = "UNKNOWN" }, "the store knows no such access key", "aws s3 ls s3://states"},
		{"another region", func(c *s3.Config) { c.Region = "eu-north-1" }, `the bucket "states" is in another region: us-east-1`, `region = "us-east-1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := configOf(s3server.Start(t))
			c.change(&config)
			store, err := s3.Impatient(config)
			require.NoError(t, err)
			requireProblem(t, store, c.text, c.hint)
		})
	}
}

// TestWhatAStoreAnswersIsExplained covers answers that the server of the tests
// does not give by itself. What they say may hold what was sent.
func TestWhatAStoreAnswersIsExplained(t *testing.T) {
	for _, c := range []struct {
		status           int
		code, text, hint string
	}{
		{403, "AccessDenied", "access denied", "allow s3:GetObject, s3:PutObject and s3:DeleteObject on arn:aws:s3:::states/proximity.state*, and s3:ListBucket on arn:aws:s3:::states"},
		{403, "RequestTimeTooSkewed", "the clock of this machine differs too much", "timedatectl set-ntp true"},
		{400, "ExpiredToken", "the keys have expired", "aws sso login"},
		{301, "PermanentRedirect", `the bucket "states" is in another region`, "aws s3api get-bucket-location --bucket states"},
		{501, "NotImplemented", "the store does not honour conditions of a write", "conditional writes are a part of S3"},
		{503, "SlowDown", "the store is overloaded or out of order (SlowDown)", ""},
		{400, "Strange", "Strange: your key is ***, also as ***", ""},
	} {
		t.Run(c.code, func(t *testing.T) {
			server, store := start(t)
			server.Between(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				s3server.Error(w, r, c.status, c.code, "your key is "+server.SecretKey+", also as planted%2Fsecret%2Bkey")
			})
			requireProblem(t, store, c.text, c.hint)
		})
	}
}

func TestAStoreThatCannotBeReachedIsExplained(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>what?", http.StatusTeapot)
	}))
	defer plain.Close()
	encrypted := httptest.NewUnstartedServer(plain.Config.Handler)
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer silent.Close()
	for _, c := range []struct{ name, endpoint, text, hint string }{
		{"nobody", closed.URL, "refuses connections", "curl -I " + closed.URL},
		{"silence", "http://" + silent.Addr().String(), "does not answer", ""},
		{"not S3", plain.URL, "does not answer as S3 does (HTTP 418)", "curl -I"},
		{"not TLS", strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS", `endpoint = "http://127.0.0.1:`},
		{"an unknown certificate", encrypted.URL, "is not to be trusted", "ca_file = "},
		{"an unknown name", "http://no-such-host.invalid", `"no-such-host.invalid"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, err := s3.Hasty(s3.Config{Bucket: "states", Endpoint: c.endpoint, AccessKey: "key", SecretKey: "planted"})
			require.NoError(t, err)
			requireProblem(t, store, c.text, c.hint)
		})
	}
}

// TestAHolderWhoseNetworkIsLostHearsSo stops answering in the middle of a run.
func TestAHolderWhoseNetworkIsLostHearsSo(t *testing.T) {
	server := s3server.Start(t)
	store, err := s3.Hasty(configOf(server))
	require.NoError(t, err)
	_, lock := lock(t, store)
	over := make(chan bool)
	server.Between(func(http.ResponseWriter, *http.Request, http.Handler) { <-over })
	require.ErrorContains(t, lock.Append(t.Context(), []byte("line\n")), "does not answer")
	server.Between(nil)
	close(over)
	require.NoError(t, lock.Append(t.Context(), []byte("again\n")))
	require.Equal(t, "again\n", string(load(t, store).Journal))
	require.NoError(t, lock.Unlock())
}

// TestAStoreThatIgnoresConditionsIsRefused takes each condition off, as stores
// do that never heard of it.
func TestAStoreThatIgnoresConditionsIsRefused(t *testing.T) {
	for _, ignored := range [][]string{{"If-Match", "If-None-Match"}, {"If-Match"}, {"If-None-Match"}} {
		t.Run(strings.Join(ignored, " and "), func(t *testing.T) {
			server, store := start(t)
			server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				for _, header := range ignored {
					r.Header.Del(header)
				}
				next.ServeHTTP(w, r)
			})
			for range 2 {
				_, _, err := store.Lock(t.Context(), state.Who{User: "ann"})
				require.ErrorContains(t, err, "the store does not honour If-")
				require.Contains(t, hint(t, err), "conditional writes are a part of S3")
			}
			server.Between(nil)
			_, lock, err := store.Lock(t.Context(), state.Who{User: "ann"})
			require.NoError(t, err, "the lock was given back")
			require.NoError(t, lock.Unlock())
		})
	}
}

func TestConditionsAreProvenOnce(t *testing.T) {
	server, store := start(t)
	_, held := lock(t, store)
	require.NoError(t, held.Unlock())
	puts := count(server, func(r *http.Request) bool { return isPut(r) })
	_, held = lock(t, store)
	require.NoError(t, held.Unlock())
	require.EqualValues(t, 2, puts.requests, "to lock and to unlock")
}

func TestAConfigurationIsCheckedWithoutANetwork(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, none)
	}
	require.NoError(t, os.Unsetenv("AWS_REGION"))
	require.NoError(t, os.WriteFile(none+".pem", []byte("planted"), 0o600))
	yes := true
	for _, c := range []struct {
		name string
		in   s3.Config
		want string
	}{
		{"no bucket", s3.Config{}, "no bucket is given"},
		{"a key with a slash", s3.Config{Bucket: "b", Key: "/x"}, `the key "/x" begins or ends with a slash`},
		{"half of the keys", s3.Config{Bucket: "b", SecretKey: "planted"}, "of access_key and secret_key only one is given"},
		{"a token alone", s3.Config{Bucket: "b", Token: "planted"}, "a token is given without its keys"},
		{"keys and a profile", s3.Config{Bucket: "b", AccessKey: "a", SecretKey: "planted", Profile: "p"}, "both a profile and keys are given"},
		{"an unknown encryption", s3.Config{Bucket: "b", SSE: "rot13"}, `sse is "rot13"`},
		{"a key for nothing", s3.Config{Bucket: "b", SSE: "AES256", KMSKeyID: "k"}, "a KMS key is given, but sse is AES256"},
		{"no URL", s3.Config{Bucket: "b", Endpoint: "minio:9000"}, "the endpoint is not a URL of http or https"},
		{"a password in the URL", s3.Config{Bucket: "b", Endpoint: "http://u:planted@h"}, "the endpoint holds a user or a password"},
		{"a broken URL with a password", s3.Config{Bucket: "b", Endpoint: "http://u:planted@h:x y/"}, "the endpoint is not a URL of http or https"},
		{"a query", s3.Config{Bucket: "b", Endpoint: "http://h/?x=planted"}, "the endpoint has a query or a fragment"},
		{"no region", s3.Config{Bucket: "b", PathStyle: &yes}, "neither the state block nor the environment says the region"},
		{"no profile", s3.Config{Bucket: "b", Region: "r", Profile: "mine"}, `there is no profile "mine"`},
		{"no file of certificates", s3.Config{Bucket: "b", Region: "r", CAFile: none}, "no such file or directory"},
		{"a file of something else", s3.Config{Bucket: "b", Region: "r", CAFile: none + ".pem"}, "holds no certificate in PEM form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s3.New(c.in)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "state: s3: ")
			requireNoSecret(t, err)
		})
	}
}

func TestAStoreIsNamedWithoutItsKeys(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	for _, c := range []struct {
		in   s3.Config
		want string
	}{
		{s3.Config{Bucket: "b"}, "s3://b/proximity.state"},
		{s3.Config{Bucket: "b", Key: "team/prod"}, "s3://b/team/prod"},
		{s3.Config{Bucket: "b", Endpoint: "https://h:9000/", AccessKey: "planted", SecretKey: "planted"}, "https://h:9000/b/proximity.state"},
	} {
		store, err := s3.New(c.in)
		require.NoError(t, err)
		require.Equal(t, c.want, store.String())
	}
}

func TestKeysComeFromTheEnvironmentToo(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	server := s3server.Start(t)
	config := s3.Config{Bucket: server.Bucket, Endpoint: server.Endpoint}
	store, err := s3.Impatient(config)
	require.NoError(t, err)
	requireProblem(t, store, "no keys were found", "export AWS_ACCESS_KEY_ID=")

	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	store, err = s3.Impatient(config)
	require.NoError(t, err)
	_, lock := lock(t, store)
	require.NoError(t, lock.Unlock())

	require.NoError(t, os.WriteFile(none, []byte("[mine]\naws_access_key_id = "+server.AccessKey+"\naws_secret_access_key = "+server.SecretKey+"\n"), 0o600))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "planted-wrong")
	config.Profile = "mine"
	store, err = s3.Impatient(config)
	require.NoError(t, err)
	require.Nil(t, load(t, store).State)
}
