package proxmox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Options say which host a Provider works on, and how hard.
type Options struct {
	Host   string // the label of the host block
	Client *pve.Client
	Range  resource.IDRange // for new VMIDs
	// PerNode, PerStorage and Parallel bound how many containers are worked on at
	// once: on one node, on one storage, on the host. 0: 4, 4 and 16.
	PerNode, PerStorage, Parallel int
	Now                           func() time.Time // nil: time.Now
}

// Provider works on one Proxmox cluster or node.
type Provider struct {
	Options
	kinds     map[string]*resource.Kind
	bare      cty.Value // a container that was asked for nothing, as it is read
	templates templates
	// shared holds the names of the storages that the last look found to be the
	// same on every node. Nil until then.
	shared atomic.Pointer[map[string]bool]
}

var (
	_ providers.Provider   = (*Provider)(nil)
	_ providers.Limiter    = (*Provider)(nil)
	_ providers.Prechecker = (*Provider)(nil)
)

// New returns a provider. It makes no request.
func New(options Options) *Provider {
	setDefault(&options.PerNode, 4)
	setDefault(&options.PerStorage, 4)
	setDefault(&options.Parallel, 16)
	if options.Now == nil {
		options.Now = time.Now
	}
	p := &Provider{Options: options, kinds: map[string]*resource.Kind{}}
	for _, k := range Kinds() {
		p.kinds[k.Name] = k
	}
	p.bare = natural(p.kinds["app"])
	p.templates.client = options.Client
	return p
}

func setDefault(n *int, value int) {
	if *n <= 0 {
		*n = value
	}
}

// Create implements providers.Provider.
func (p *Provider) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	switch job.Addr.Kind {
	case "app":
		return p.createApp(ctx, job)
	case "backup_policy":
		return p.createPolicy(ctx, job)
	case "template":
		return p.createTemplate(ctx, job)
	}
	return resource.Object{}, unknownKind(job.Addr.Kind)
}

// Update implements providers.Provider.
func (p *Provider) Update(ctx context.Context, job providers.Job) (resource.Object, error) {
	switch job.Addr.Kind {
	case "app":
		return p.updateApp(ctx, job)
	case "backup_policy":
		return p.updatePolicy(ctx, job)
	case "template":
		return p.createTemplate(ctx, job)
	}
	return resource.Object{}, unknownKind(job.Addr.Kind)
}

// Delete implements providers.Provider. Templates are never deleted.
func (p *Provider) Delete(ctx context.Context, job providers.Job) error {
	switch job.Addr.Kind {
	case "app":
		return p.deleteApp(ctx, job)
	case "backup_policy":
		return p.deletePolicy(ctx, job)
	case "template":
		return nil
	}
	return unknownKind(job.Addr.Kind)
}

func unknownKind(kind string) error {
	return fmt.Errorf("a Proxmox host has no %q", kind)
}
