package httpstore_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

// isEither reports whether an error is one of those types.
func isEither(err error, targets ...any) bool {
	for _, target := range targets {
		if errors.As(err, target) {
			return true
		}
	}
	return false
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	const address = "https://gitlab.example.net/api/v4/projects/7/terraform/state/home"
	for name, c := range map[string]struct {
		config httpstore.Config
		want   string
	}{
		"no address":            {httpstore.Config{}, "address: it is missing"},
		"no URL":                {httpstore.Config{Address: "https://a b:%"}, "address: it is not a URL"},
		"another scheme":        {httpstore.Config{Address: "ftp://example.net/x"}, "address: it is no URL of a web server: write it like https://gitlab.example.net/api/v4/projects/7/terraform/state/home"},
		"a password in it":      {httpstore.Config{Address: "https://me:planted@example.net/x"}, "address: user and password do not belong into it"},
		"a password in clear":   {httpstore.Config{Address: "http://example.net/x", Username: "me", Password: "planted"}, "address: the password would travel in clear"},
		"a token in clear":      {httpstore.Config{Address: "http://example.net/x", Token: "planted"}, "address: the password would travel in clear"},
		"a lock elsewhere":      {httpstore.Config{Address: address, LockAddress: "https://example.org/lock"}, "lock_address: it is of another server than address"},
		"an unlock without TLS": {httpstore.Config{Address: address, UnlockAddress: "http://gitlab.example.net/lock"}, "unlock_address: it is of another server than address"},
		"no CA file":            {httpstore.Config{Address: address, CAFile: "/nowhere/ca.pem"}, "ca_file: open /nowhere/ca.pem: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := httpstore.New(c.config)
			require.EqualError(t, err, c.want)
		})
	}
	for name, c := range map[string]httpstore.Config{
		"only an address":                {Address: address},
		"http without credentials":       {Address: "http://example.net/x"},
		"http to this machine":           {Address: "http://localhost:1/x", Token: "planted"},
		"http that somebody insisted on": {Address: "http://example.net/x", Token: "planted", Insecure: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := httpstore.New(c)
			require.NoError(t, err)
		})
	}
}

func TestTheNameHoldsNoSecret(t *testing.T) {
	store := open(t, httpstore.Config{Address: "https://gitlab.example.net/state?private_token=planted#planted"})
	require.Equal(t, "https://gitlab.example.net/state", store.String())
}

func TestWaysToLogIn(t *testing.T) {
	for name, c := range map[string]struct {
		config httpstore.Config
		env    map[string]string // API stands for the address of the API
	}{
		"name and token":             {config: httpstore.Config{Username: gitlabserver.Maintainer, Password: gitlabserver.MaintainerToken}},
		"a bearer":                   {config: httpstore.Config{Token: gitlabserver.MaintainerToken}},
		"as for Terraform":           {env: map[string]string{"TF_HTTP_USERNAME": "ann", "TF_HTTP_PASSWORD": gitlabserver.MaintainerToken}},
		"the environment fills gaps": {config: httpstore.Config{Username: "ann"}, env: map[string]string{"TF_HTTP_PASSWORD": gitlabserver.MaintainerToken}},
		"in a job of GitLab":         {env: map[string]string{"CI_JOB_TOKEN": gitlabserver.JobToken, "CI_API_V4_URL": "API"}},
		"the block wins": {
			config: httpstore.Config{Username: "ann", Password: gitlabserver.MaintainerToken},
			env:    map[string]string{"TF_HTTP_USERNAME": "x", "TF_HTTP_PASSWORD": "x", "CI_JOB_TOKEN": "x", "CI_API_V4_URL": "API"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitlabserver.Start(t)
			for key, value := range c.env {
				if value == "API" {
					value = server.URL + "/api/v4"
				}
				t.Setenv(key, value)
			}
			c.config.Address = server.Address("home")
			_, lock := hold(t, open(t, c.config), "ann")
			require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
			require.NoError(t, lock.Unlock())
		})
	}
}

// TestAJobTokenGoesToItsGitLabAlone has an address that begins like the API's.
func TestAJobTokenGoesToItsGitLabAlone(t *testing.T) {
	server := gitlabserver.Start(t)
	t.Setenv("CI_JOB_TOKEN", gitlabserver.JobToken)
	t.Setenv("CI_API_V4_URL", server.URL+"/api/v4/proj")
	_, err := open(t, httpstore.Config{Address: server.Address("home")}).Load(t.Context())
	require.ErrorContains(t, err, "GitLab does not know the user or token")
}

func TestAccessThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		token, project     string
		read, lock, unlock string
		hint               string
	}{
		"nobody": {
			token: "glpat-unknown", read: `GitLab does not know the user or token, or the token has expired (401, "401 Unauthorized")`, hint: "scope api",
		},
		"a developer": {
			token: gitlabserver.DeveloperToken, read: "",
			lock: `the user or token may not do that, or the project's Infrastructure feature is off (403, "403 Forbidden")`, hint: "Maintainer",
		},
		"somebody from elsewhere": {
			token: gitlabserver.StrangerToken, read: `there is no such project, or the user or token does not see it (404, "404 Project Not Found")`, hint: "number of the project",
		},
		"another project": {
			token: gitlabserver.MaintainerToken, project: "8", read: `there is no such project, or the user or token does not see it (404, "404 Project Not Found")`, hint: "number of the project",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitlabserver.Start(t)
			address := server.Address("home")
			if c.project != "" {
				address = strings.Replace(address, "/projects/7/", "/projects/"+c.project+"/", 1)
			}
			store := open(t, httpstore.Config{Address: address, Username: "x", Password: c.token})
			_, err := store.Load(t.Context())
			if c.read != "" {
				require.EqualError(t, err, address+": read: "+c.read)
				require.Contains(t, hint(err), c.hint)
				c.lock = c.read
			} else {
				require.NoError(t, err, "a state that is not there yet can be read by who could read it")
			}
			_, _, err = store.Lock(t.Context(), somebody("ann"))
			require.EqualError(t, err, address+": lock: "+c.lock)
			require.Contains(t, hint(err), c.hint)
			require.EqualError(t, store.Break(t.Context(), "id-ann"), address+": lock: "+c.lock)
		})
	}
}

func TestAStateThatGitLabFindsTooLarge(t *testing.T) {
	server, store := startGitLab(t)
	server.Limit(2000)
	_, lock := hold(t, store, "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	err := lock.Append(t.Context(), append(noise(4000), '\n'))
	require.EqualError(t, err, store.String()+`: write: the state is larger than GitLab takes (413, "413 Request Entity Too Large")`)
	require.Contains(t, hint(err), "Terraform limits")
	require.NoError(t, lock.Append(t.Context(), []byte("two\n")))
	require.Equal(t, "one\ntwo\n", string(load(t, store).Journal))
	require.NoError(t, lock.Unlock())
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var reached []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Header.Get("Authorization"))
	}))
	t.Cleanup(thief.Close)
	for _, code := range []int{301, 302, 303, 307, 308} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL+"/login?session=planted", code)
		}))
		t.Cleanup(web.Close)
		store := open(t, config(web.URL+"/state"))
		_, err := store.Load(t.Context())
		require.ErrorContains(t, err, "the server sends elsewhere, and credentials do not follow there")
		require.ErrorContains(t, err, thief.URL+"/login\"")
		_, _, err = store.Lock(t.Context(), somebody("ann"))
		require.ErrorContains(t, err, "the server sends elsewhere")
	}
	require.Empty(t, reached)
}

func TestCertificates(t *testing.T) {
	web := httptest.NewUnstartedServer(&plain{})
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, block, 0o600))

	c := config(web.URL + "/state")
	_, err := open(t, c).Load(t.Context())
	require.EqualError(t, err, web.URL+"/state: read: the server's certificate is not trusted: certificate signed by unknown authority")
	require.Contains(t, hint(err), "ca_file")
	trusting, careless := c, c
	trusting.CAFile, careless.Insecure = ca, true
	for _, c := range []httpstore.Config{trusting, careless} {
		_, lock := hold(t, open(t, c), "ann")
		require.NoError(t, lock.Unlock())
	}
	require.NoError(t, os.WriteFile(ca, []byte("no certificate"), 0o600))
	_, err = httpstore.New(trusting)
	require.ErrorContains(t, err, "no certificate in PEM form")
}

// TestNoErrorHoldsASecret plants a password and looks for it, in each form in
// which it travels, in the errors of servers that send back what they got.
func TestNoErrorHoldsASecret(t *testing.T) {
	const user, secret = "ann", `pl"anted+secret/&`
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(user + " " + password + " " + url.QueryEscape(password) + " " + r.Header.Get("Authorization") + " " +
			base64.StdEncoding.EncodeToString([]byte(password)) + " " + r.URL.RawQuery))
	}))
	t.Cleanup(echo.Close)
	gitlab := gitlabserver.Start(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(user + ":" + secret)), `pl\"anted`,
	}
	for _, address := range []string{
		echo.URL + "/state", echo.URL + "/api/v4/projects/7/terraform/state/home", gitlab.Address("home"), closed.URL + "/state",
		"http://no.such.host.invalid/state", "https://" + strings.TrimPrefix(echo.URL, "http://") + "/state",
	} {
		for _, c := range []httpstore.Config{
			{Address: address, Username: user, Password: secret},
			{Address: address, Token: secret},
			{Address: address + "?private_token=" + url.QueryEscape(secret)},
		} {
			c.Insecure, c.RetryMax = true, -1
			store := open(t, c)
			_, read := store.Load(t.Context())
			_, _, locked := store.Lock(t.Context(), state.Who{User: "me"})
			broken := store.Break(t.Context(), "x")
			for _, err := range []error{read, locked, broken} {
				require.Error(t, err, address)
				for _, form := range forms {
					require.NotContains(t, err.Error()+hint(err), form, address)
				}
			}
		}
	}
}

func TestAServerThatCannotBeSpokenWith(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	plainText := httptest.NewServer(&plain{})
	t.Cleanup(plainText.Close)
	for address, want := range map[string]struct{ text, hint string }{
		closed.URL + "/state": {"read: no connection to " + strings.TrimPrefix(closed.URL, "http://") + ": connection refused", "check address"},
		strings.Replace(plainText.URL, "http:", "https:", 1) + "/state": {"read: the server does not speak TLS on that port", "right port"},
	} {
		store := open(t, config(address))
		_, err := store.Load(t.Context())
		require.EqualError(t, err, address+": "+want.text)
		require.Contains(t, hint(err), want.hint)
	}
}

// TestAddressesOfGitLab are recognised, also with a slash too many, and with a
// name or project that is escaped.
func TestAddressesOfGitLab(t *testing.T) {
	server := gitlabserver.Start(t)
	for _, name := range []string{"home", "home.lab", "team/home", "ä b"} {
		for _, end := range []string{"", "/"} {
			store := open(t, config(server.Address(name)+end))
			require.Equal(t, server.Address(name), store.String())
			_, lock := hold(t, store, "ann")
			require.NotEmpty(t, server.Locked(name))
			require.NoError(t, lock.Unlock())
		}
	}
}

// TestALockThatStaysSaysHowToFreeIt has a server that is gone at the end.
func TestALockThatStaysSaysHowToFreeIt(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	server.Intercept(status(http.StatusBadGateway))
	err := lock.Unlock()
	require.ErrorContains(t, err, "unlock: the server has an error of its own (502)")
	require.Equal(t, "the lock stays at the server; once that answers again: proximity state unlock id-ann", hint(err))
}
