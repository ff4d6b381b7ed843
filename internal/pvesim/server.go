package pvesim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Server is the API on a port.
type Server struct {
	URL         string // https://host:port
	Fingerprint string // SHA-256 of the certificate, hexadecimal with colons

	http *http.Server
	done chan error
}

// Listen serves the API over TLS with a certificate of its own, which is kept in Options.Dir. As on a node, a connection
// is closed after 100 answers, after each error, and after five seconds of silence.
func (s *Sim) Listen(addr string) (*Server, error) {
	certificate, err := s.certificate()
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	server := &Server{
		URL:         "https://" + socket.Addr().String(),
		Fingerprint: fingerprint(certificate.Certificate[0]),
		done:        make(chan error, 1),
		http: &http.Server{
			Handler:      s,
			IdleTimeout:  5 * time.Second,
			ConnContext:  countAnswers,
			ErrorLog:     log.New(io.Discard, "", 0),
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2, as Proxmox
		},
	}
	secure := tls.NewListener(socket, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	go func() { server.done <- server.http.Serve(secure) }()
	return server, nil
}

// Close stops listening and closes all connections.
func (s *Server) Close() error {
	err := s.http.Close()
	if ended := <-s.done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// answersKey finds the number of answers a connection gave so far.
type answersKey struct{}

func countAnswers(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, answersKey{}, new(atomic.Int32))
}

// lastOfConnection counts an answer and reports whether it is the last that its connection gives.
func lastOfConnection(ctx context.Context) bool {
	answers, ok := ctx.Value(answersKey{}).(*atomic.Int32)
	return ok && answers.Add(1) >= 100
}

// fingerprint prints the SHA-256 of a certificate as Proxmox does.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// certificate returns the one in the directory, or makes it.
func (s *Sim) certificate() (tls.Certificate, error) {
	if s.options.Dir == "" {
		cert, key, err := selfSigned()
		if err != nil {
			return tls.Certificate{}, err
		}
		return tls.X509KeyPair(cert, key)
	}
	certFile, keyFile := filepath.Join(s.options.Dir, "tls.crt"), filepath.Join(s.options.Dir, "tls.key")
	if _, err := os.Stat(certFile); errors.Is(err, os.ErrNotExist) {
		cert, key, err := selfSigned()
		if err != nil {
			return tls.Certificate{}, err
		}
		if err := errors.Join(os.WriteFile(keyFile, key, 0o600), os.WriteFile(certFile, cert, 0o600)); err != nil {
			return tls.Certificate{}, err
		}
	}
	return tls.LoadX509KeyPair(certFile, keyFile)
}

// selfSigned makes a certificate for this machine and returns it and its key in PEM.
func selfSigned() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "pve1", Organization: []string{"Proxmox simulator"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "pve1"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), nil
}
