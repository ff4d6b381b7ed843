// Package httpstore keeps state on a server that speaks Terraform's HTTP
// backend protocol, such as GitLab.
//
// The protocol knows one document that is read and written as a whole, and one
// lock. So the state, its journal, its last versions and its trail are one
// document, which every write sends anew: an append costs the way of the whole
// document, though the state in it is not packed again. GitLab keeps each as a
// version of its own, for good.
//
// GitLab refuses a write of who does not hold the lock, and one whose serial it
// has already. For servers that do not, the lock is asked for before each
// write, by trying to take it; what they cannot prevent is a write that was on
// its way when the lock was broken.
//
// A server without a lock is refused.
package httpstore

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/state"
)

// Config says where the document is and how to speak with its server. Only
// Address is needed where it is one of GitLab's.
type Config struct {
	Address string
	// LockAddress and UnlockAddress are by default Address/lock at GitLab and
	// Address elsewhere. They are of the host of Address.
	LockAddress, UnlockAddress string
	// LockMethod and UnlockMethod are by default POST and DELETE at GitLab, LOCK
	// and UNLOCK elsewhere. UpdateMethod is POST.
	LockMethod, UnlockMethod, UpdateMethod string
	// Username and Password are by default those of TF_HTTP_USERNAME and
	// TF_HTTP_PASSWORD, as with Terraform; and in a job of GitLab's CI, for
	// addresses of that GitLab, the job's token.
	Username, Password string
	Token              string // sent as a bearer instead of a name and password
	CAFile             string // PEM file of the authorities to trust; empty: the system's
	// Insecure leaves certificates unchecked, and lets credentials travel over
	// http to other machines.
	Insecure bool
	// RetryMax is how often a request without a good answer is repeated; 0: twice,
	// below: never. The waits in between grow from RetryWaitMin to RetryWaitMax,
	// by default 1 s and 30 s.
	RetryMax                   int
	RetryWaitMin, RetryWaitMax time.Duration
}

// Store is a document on a server. It implements state.Store.
type Store struct {
	name     string // the address without what may be secret
	isGitLab bool
	client   *client
	document target
	update   string // method
	lock     target
	unlock   target
	poll     time.Duration // how often a holder looks whether it still is one
}

// target is an address with the method that is used on it.
type target struct {
	method string
	url    *url.URL
}

// pollEvery is a compromise: each look is a request.
const pollEvery = 15 * time.Second

// New returns the store at an address. It asks nothing of the server; it reads
// CAFile and the environment.
func New(c Config) (*Store, error) {
	address, err := parseAddress("address", c.Address)
	if err != nil {
		return nil, err
	}
	isGitLab := gitLabPath.MatchString(address.EscapedPath())
	if isGitLab {
		address.Path, address.RawPath = strings.TrimSuffix(address.Path, "/"), strings.TrimSuffix(address.RawPath, "/")
	}
	s := &Store{name: nameOf(address), isGitLab: isGitLab, poll: pollEvery}
	lock, lockMethod, unlockMethod := address, "LOCK", "UNLOCK"
	if s.isGitLab {
		lock, lockMethod, unlockMethod = address.JoinPath("lock"), "POST", "DELETE"
	}
	s.document = target{"GET", address}
	s.update = cmp.Or(c.UpdateMethod, "POST")
	s.lock = target{cmp.Or(c.LockMethod, lockMethod), lock}
	s.unlock = target{cmp.Or(c.UnlockMethod, unlockMethod), lock}
	if s.lock.url, err = beside(address, "lock_address", c.LockAddress, lock); err != nil {
		return nil, err
	}
	if s.unlock.url, err = beside(address, "unlock_address", c.UnlockAddress, s.lock.url); err != nil {
		return nil, err
	}
	who := credentialsOf(c, address)
	if !who.none() && address.Scheme == "http" && !c.Insecure && !isLoopback(address.Hostname()) {
		return nil, advise("write the address with https; or set insecure = true, which lets everybody on the way read the password",
			"address: the password would travel in clear")
	}
	s.client, err = newClient(c, s.name, who, address.Query())
	return s, err
}

// String returns the address.
func (s *Store) String() string { return s.name }

// gitLabPath is how GitLab's API names a Terraform state. The name of one has
// no slash.
var gitLabPath = regexp.MustCompile(`/api/v4/projects/[^/]+/terraform/state/[^/]+/?$`)

// parseAddress never shows what it was given: that may hold a password.
func parseAddress(name, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, advise(`state "http" { address = "https://gitlab.example.net/api/v4/projects/7/terraform/state/home" }`, "%s: it is missing", name)
	case err != nil:
		return nil, fmt.Errorf("%s: it is not a URL", name)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%s: it is no URL of a web server: write it like https://gitlab.example.net/api/v4/projects/7/terraform/state/home", name)
	case u.User != nil:
		return nil, advise("set username and password, or TF_HTTP_USERNAME and TF_HTTP_PASSWORD in the environment", "%s: user and password do not belong into it", name)
	}
	u.Fragment = ""
	return u, nil
}

// beside parses an address that has to be of the same server, since it gets
// the same credentials.
func beside(address *url.URL, name, text string, otherwise *url.URL) (*url.URL, error) {
	if text == "" {
		return otherwise, nil
	}
	u, err := parseAddress(name, text)
	if err == nil && (u.Host != address.Host || u.Scheme != address.Scheme) {
		err = fmt.Errorf("%s: it is of another server than address", name)
	}
	return u, err
}

// nameOf leaves out the query: some put a token there.
func nameOf(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// credentials are what a request is signed with.
type credentials struct{ username, password, token string }

func (c credentials) none() bool { return c == credentials{} }

func credentialsOf(c Config, address *url.URL) credentials {
	if c.Token != "" {
		return credentials{token: c.Token}
	}
	who := credentials{
		username: cmp.Or(c.Username, os.Getenv("TF_HTTP_USERNAME")),
		password: cmp.Or(c.Password, os.Getenv("TF_HTTP_PASSWORD")),
	}
	api, job := os.Getenv("CI_API_V4_URL"), os.Getenv("CI_JOB_TOKEN")
	if who.none() && api != "" && job != "" && strings.HasPrefix(nameOf(address), api+"/") {
		return credentials{username: "gitlab-ci-token", password: job}
	}
	return who
}

// Load implements state.Store. What can be read of a document that was altered
// comes with the error.
func (s *Store) Load(ctx context.Context) (state.Files, error) {
	is, err := s.read(ctx)
	if err != nil && !is.document.isOurs() {
		return state.Files{}, err
	}
	files, unreadable := is.document.files()
	return files, cmp.Or(err, s.inside(unreadable))
}

// Versions implements state.Store. It makes do with a document that was
// altered: each version says by itself whether it is as it was written.
func (s *Store) Versions(ctx context.Context) ([]state.Version, error) {
	is, err := s.read(ctx)
	if err != nil && !is.document.isOurs() {
		return nil, err
	}
	return is.document.versions(), nil
}

// Trail implements state.Store. It makes do with a document that was altered:
// the lines say by themselves whether one is missing or wrong.
func (s *Store) Trail(ctx context.Context) ([]byte, error) {
	is, err := s.read(ctx)
	if err != nil && !is.document.isOurs() {
		return nil, err
	}
	lines, _ := is.document.Proximity.Trail.open()
	return lines, nil
}

// inside returns the error of a document whose parts cannot be read, though its
// checksum is right.
func (s *Store) inside(err error) error {
	if err == nil {
		return nil
	}
	return &state.ErrDamaged{Store: s.name, What: "state file", Why: err.Error()}
}
