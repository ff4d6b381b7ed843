package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// site is a host as it was found: which of its endpoints answer, and a provider
// that works through those that do, nil when none does.
type site struct {
	host      *config.Host
	endpoints []endpoint
	provider  *proxmox.Provider
	who       string // the token or user
	close     func() error
}

// endpoint is one way to a host. Its error is of the connection, the
// certificate or the credentials.
type endpoint struct {
	url string
	err error
}

// reach tries every endpoint of a host by itself, once. The error is for a
// configuration that can reach nothing.
func reach(ctx context.Context, h *config.Host) (*site, error) {
	options, closer, err := clientOptions(h)
	if err != nil {
		return nil, err
	}
	if closer == nil {
		closer = func() error { return nil }
	}
	s := &site{host: h, close: closer}
	var answering []string
	for i, url := range options.Endpoints {
		one := options
		one.Endpoints = []string{url}
		client, err := pve.New(one)
		if err != nil {
			return nil, errors.Join(err, closer())
		}
		s.who = client.Who()
		err = client.Probe(ctx)
		s.endpoints = append(s.endpoints, endpoint{h.Endpoints[i], err})
		if err == nil {
			answering = append(answering, url)
		}
	}
	if len(answering) == 0 {
		return s, nil
	}
	options.Endpoints = answering
	client, err := pve.New(options)
	if err != nil {
		return nil, errors.Join(err, closer())
	}
	s.provider = providerOf(h, client)
	return s, nil
}

// answering is the endpoint that answers, else the first.
func (s *site) answering() string {
	for _, e := range s.endpoints {
		if e.err == nil {
			return e.url
		}
	}
	return s.endpoints[0].url
}

// err is the errors of all endpoints.
func (s *site) err() error {
	var all *multierror.Error
	for _, e := range s.endpoints {
		if e.err != nil {
			all = multierror.Append(all, e.err)
		}
	}
	if all != nil && len(all.Errors) == 1 {
		return all.Errors[0]
	}
	return all.ErrorOrNil()
}

// stateInWords says what each endpoint does instead of working, or what went
// wrong with one that works.
func (s *site) stateInWords(err error) string {
	if s.provider != nil {
		return err.Error()
	}
	var all []string
	for _, e := range s.endpoints {
		all = append(all, s.stateOf(e)+": "+e.err.Error())
	}
	return strings.Join(all, "; ")
}

// certificate says how the host's certificate is checked.
func (s *site) certificate() string {
	h := s.host
	switch {
	case strings.HasPrefix(h.Endpoints[0], "sim:"):
		return "none: it is an embedded simulator"
	case h.Fingerprint != "":
		return "the pinned one"
	case h.Insecure:
		return "not checked (insecure = true)"
	case h.CAFile != "":
		return "of an authority in " + h.CAFile
	}
	return "of an authority that this system trusts"
}
