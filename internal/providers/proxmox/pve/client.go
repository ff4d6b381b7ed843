package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"
)

// Options say how to reach one Proxmox cluster or node.
type Options struct {
	// Endpoints are base URLs such as https://pve1:8006, of any nodes of one
	// cluster. The first that answers is used until it fails.
	Endpoints []string
	// TokenID and TokenSecret authenticate by an API token, user@realm!name.
	TokenID, TokenSecret string
	// Username (with its realm) and Password log in when there is no token.
	Username, Password string
	// Fingerprint is the SHA-256 of the server's certificate in hexadecimal, with or
	// without colons. It replaces every other check of the certificate.
	Fingerprint string
	CAFile      string // PEM file of the authorities to trust; empty: the system's
	Insecure    bool   // do not check certificates at all
	Parallel    int    // requests at once; 0: 16
	// Transport carries requests instead of the network: the embedded simulator.
	Transport http.RoundTripper
}

const defaultParallel = 16

// Client is safe for concurrent use. It has no state on the server but its
// ticket, and needs no closing.
type Client struct {
	http      *http.Client
	endpoints []string     // base URLs up to and with /api2/json
	current   atomic.Int64 // index of the endpoint that answered last
	slots     chan struct{}
	identity  identity
	secrets   []string // never to be seen in errors
	pace      pace
	version   func(context.Context) (Version, error)
}

// New returns a client. It opens no connection; it reads Options.CAFile.
func New(options Options) (*Client, error) {
	if options.Parallel <= 0 {
		options.Parallel = defaultParallel
	}
	endpoints, err := baseURLs(options)
	if err != nil {
		return nil, err
	}
	transport := options.Transport
	if transport == nil {
		if transport, err = newTransport(options); err != nil {
			return nil, err
		}
	}
	c := &Client{
		http: &http.Client{
			Transport: transport,
			// The token must not follow a redirect to somebody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		endpoints: endpoints,
		slots:     make(chan struct{}, options.Parallel),
		secrets:   []string{options.TokenSecret, options.Password},
	}
	c.version = Once(c.askVersion)
	c.identity, err = newIdentity(options)
	return c, err
}

func baseURLs(options Options) ([]string, error) {
	var bases []string
	for _, text := range options.Endpoints {
		u, err := url.Parse(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("endpoint %q: not a URL", text)
		case options.Transport != nil:
			continue
		case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
			return nil, fmt.Errorf("endpoint %q: write it like https://pve1.example.net:8006", text)
		case u.Scheme == "http" && !options.Insecure && !isLoopback(u.Hostname()):
			return nil, fmt.Errorf("endpoint %q: the token would travel in clear; write https", text)
		case u.User != nil:
			return nil, errors.New("endpoint: user and password do not belong into the URL")
		}
		if u.Port() == "" {
			u.Host += ":8006"
		}
		path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api2/json")
		bases = append(bases, u.Scheme+"://"+u.Host+path+"/api2/json")
	}
	if options.Transport != nil {
		return []string{"https://simulator/api2/json"}, nil
	}
	if len(bases) == 0 {
		return nil, errors.New("no endpoint is given")
	}
	return bases, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Path joins the parts of a request's path and escapes them.
func Path(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// session returns a signed way to one endpoint.
func (c *Client) session(ctx context.Context, base string) (*proxmox.Session, error) {
	s, err := proxmox.NewSession(base, c.http, "", nil)
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", base, err)
	}
	return s, c.identity.sign(ctx, c, s)
}

// Version is the release of Proxmox VE.
type Version struct {
	Major, Minor int
	Text         string // "9.1.4"
}

// AtLeast reports whether v is that release or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Version asks for the release once and remembers it.
func (c *Client) Version(ctx context.Context) (Version, error) { return c.version(ctx) }

func (c *Client) askVersion(ctx context.Context) (Version, error) {
	var answer struct{ Version, Release Text }
	if err := c.Read(ctx, "/version", nil, &answer); err != nil {
		return Version{}, err
	}
	return ParseVersion(string(answer.Version))
}

// ParseVersion reads a release such as 9.1.4 or 9.0.0~11.
func ParseVersion(text string) (Version, error) {
	v := Version{Text: text}
	if _, err := fmt.Sscanf(text, "%d.%d", &v.Major, &v.Minor); err != nil {
		return Version{}, fmt.Errorf("version %q: not understood", text)
	}
	return v, nil
}
