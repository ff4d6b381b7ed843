// Package s3 keeps state in a bucket of S3, or of any store that speaks its
// protocol and honours conditional writes.
//
// The object under the key is the head. It is the only one that is ever
// changed, and only by a write on the condition that it still is what it was
// (If-Match, If-None-Match), so that lock, journal, state and trail change
// together and a holder that lost its lock cannot write. The head names the
// objects that hold the rest: they lie under the key with ".d/" after it, each
// under a name of its own, are never changed, and mean nothing until the head
// names them.
package s3

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Config says where the store is and who we are there. Only Bucket has to be
// given.
type Config struct {
	Bucket   string
	Key      string // of the head; empty: DefaultKey
	Region   string // empty: as the environment or the profile says
	Endpoint string // URL of a store that is not AWS; empty: AWS
	// PathStyle says that the bucket is part of the path and not of the host
	// name. nil: when there is an Endpoint.
	PathStyle *bool
	CAFile    string // certificates to trust beside the system's, PEM

	// The keys. When there are none the SDK looks for them where AWS's own tools
	// do: environment, profile, web identity, the machine.
	AccessKey string
	SecretKey string
	Token     string // of temporary keys
	Profile   string

	SSE      string // AES256, aws:kms or aws:kms:dsse; empty: as the bucket says
	KMSKeyID string // implies aws:kms
}

// DefaultKey is where the head lies when nobody said otherwise.
const DefaultKey = "proximity.state"

// Store is a key in a bucket. It implements state.Store and is safe for
// concurrent use.
type Store struct {
	config Config
	client *s3.Client
	keys   *keys
	tuning tuning

	mu     sync.Mutex
	proven bool // it honours conditional writes
}

// New returns the store of a configuration. It reads the files of the SDK, and
// asks nobody.
func New(c Config) (*Store, error) {
	direct := net.Dialer{Timeout: 10 * time.Second}
	return newStore(c, tuning{
		poll: 10 * time.Second, stall: time.Minute, tries: 4, pause: 5 * time.Second, dial: direct.DialContext,
	})
}

func newStore(c Config, t tuning) (*Store, error) {
	if c.Key == "" {
		c.Key = DefaultKey
	}
	if c.KMSKeyID != "" && c.SSE == "" {
		c.SSE = "aws:kms"
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	client, keys, err := newClient(c, t)
	if err != nil {
		return nil, err
	}
	return &Store{config: c, client: client, keys: keys, tuning: t}, nil
}

func (c Config) check() error {
	switch {
	case c.Bucket == "":
		return &problem{text: "state: s3: no bucket is given", hint: `bucket = "my-states"`}
	case strings.HasPrefix(c.Key, "/") || strings.HasSuffix(c.Key, "/"):
		return &problem{text: fmt.Sprintf("state: s3: the key %q begins or ends with a slash", c.Key), hint: fmt.Sprintf("key = %q", strings.Trim(c.Key, "/"))}
	case (c.AccessKey == "") != (c.SecretKey == ""):
		return &problem{text: "state: s3: of access_key and secret_key only one is given"}
	case c.Token != "" && c.AccessKey == "":
		return &problem{text: "state: s3: a token is given without its keys"}
	case c.AccessKey != "" && c.Profile != "":
		return &problem{text: "state: s3: both a profile and keys are given"}
	}
	switch c.SSE {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		return &problem{text: fmt.Sprintf("state: s3: sse is %q, but may be AES256, aws:kms or aws:kms:dsse", c.SSE), hint: `sse = "AES256"`}
	}
	if c.KMSKeyID != "" && c.SSE == "AES256" {
		return &problem{text: "state: s3: a KMS key is given, but sse is AES256", hint: `sse = "aws:kms"`}
	}
	return c.checkEndpoint()
}

func (c Config) checkEndpoint() error {
	if c.Endpoint == "" {
		return nil
	}
	at, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		// The text is not shown: what does not parse may hold a password.
		return &problem{text: "state: s3: the endpoint is not a URL of http or https", hint: `endpoint = "https://minio.example:9000"`}
	case at.User != nil:
		return &problem{text: "state: s3: the endpoint holds a user or a password", hint: "access_key = …\nsecret_key = …"}
	case at.RawQuery != "" || at.Fragment != "":
		return &problem{text: "state: s3: the endpoint has a query or a fragment", hint: fmt.Sprintf("endpoint = %q", at.Scheme+"://"+at.Host)}
	}
	return nil
}

func (c Config) isPathStyle() bool {
	if c.PathStyle != nil {
		return *c.PathStyle
	}
	return c.Endpoint != ""
}

// String returns the address of the head.
func (s *Store) String() string {
	if s.config.Endpoint == "" {
		return "s3://" + s.config.Bucket + "/" + s.config.Key
	}
	return strings.TrimSuffix(s.config.Endpoint, "/") + "/" + s.config.Bucket + "/" + s.config.Key
}

// host is where requests go.
func (s *Store) host() string {
	if at, err := url.Parse(s.config.Endpoint); err == nil && at.Host != "" {
		return at.Host
	}
	return "AWS"
}
