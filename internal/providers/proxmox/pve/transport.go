package pve

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// pveproxy closes connections that were idle for 5 s; a connection must not be
	// picked from the pool while it does.
	idleTimeout = 4 * time.Second
	dialTimeout = 5 * time.Second
	// pveproxy gives up on its backend after 30 s and answers 596.
	headerTimeout = 40 * time.Second
)

// newTransport returns a transport that goes straight to the server: no proxy
// from the environment, no HTTP/2 (pveproxy has none).
func newTransport(options Options) (*http.Transport, error) {
	verify, err := tlsConfig(options)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       verify,
		TLSHandshakeTimeout:   dialTimeout,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
		IdleConnTimeout:       idleTimeout,
		MaxConnsPerHost:       options.Parallel,
		MaxIdleConnsPerHost:   options.Parallel,
		ResponseHeaderTimeout: headerTimeout,
	}, nil
}

func tlsConfig(options Options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case options.Fingerprint != "":
		pin, err := parseFingerprint(options.Fingerprint)
		if err != nil {
			return nil, err
		}
		config.InsecureSkipVerify = true // the pin is checked instead, on every handshake
		config.VerifyConnection = pin.verify
	case options.Insecure:
		config.InsecureSkipVerify = true
	case options.CAFile != "":
		pem, err := os.ReadFile(options.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca file %q: no certificate in PEM form", options.CAFile)
		}
	}
	return config, nil
}

// fingerprint is the SHA-256 of a certificate.
type fingerprint [sha256.Size]byte

// ErrPin is the cause of an error when the server's certificate is not the
// pinned one.
var ErrPin = errors.New("the server's certificate is not the pinned one")

// pinError is ErrPin with what was shown instead.
type pinError struct{ is fingerprint }

func (e pinError) Error() string { return fmt.Sprintf("%v: it has the fingerprint %s", ErrPin, e.is) }

func (e pinError) Unwrap() error { return ErrPin }

// Presented returns the fingerprint of the certificate that an error is about,
// "" when it is about none.
func Presented(err error) string {
	var (
		untrusted *tls.CertificateVerificationError
		pin       pinError
	)
	switch {
	case errors.As(err, &pin):
		return pin.is.String()
	case errors.As(err, &untrusted) && len(untrusted.UnverifiedCertificates) > 0:
		return fingerprint(sha256.Sum256(untrusted.UnverifiedCertificates[0].Raw)).String()
	}
	return ""
}

func parseFingerprint(text string) (fingerprint, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(raw) != sha256.Size {
		return fingerprint{}, fmt.Errorf("fingerprint %q: not a SHA-256, 64 hexadecimal digits", text)
	}
	return fingerprint(raw), nil
}

func (f fingerprint) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return ErrPin
	}
	is := fingerprint(sha256.Sum256(state.PeerCertificates[0].Raw))
	if subtle.ConstantTimeCompare(is[:], f[:]) != 1 {
		return pinError{is}
	}
	return nil
}

// String returns the fingerprint as Proxmox shows it, in pairs with colons.
func (f fingerprint) String() string {
	pairs := make([]string, len(f))
	for i, b := range f {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
