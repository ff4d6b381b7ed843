package providertest

import (
	"context"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Faulty is a provider whose calls fail when its hooks say so: Before in place
// of the call, After when the call has had its effect and its answer is lost.
// The hooks get the method's name in lower case; nil hooks never fail. They
// may be called at the same time.
type Faulty struct {
	providers.Provider
	Before, After func(method string) error
}

func (f Faulty) hook(h func(string) error, method string) error {
	if h == nil {
		return nil
	}
	return h(method)
}

// Observe implements providers.Provider.
func (f Faulty) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	if err := f.hook(f.Before, "observe"); err != nil {
		return providers.Observation{}, err
	}
	return f.Provider.Observe(ctx, targets)
}

// Create implements providers.Provider.
func (f Faulty) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	return f.change(ctx, "create", job, f.Provider.Create)
}

// Update implements providers.Provider.
func (f Faulty) Update(ctx context.Context, job providers.Job) (resource.Object, error) {
	return f.change(ctx, "update", job, f.Provider.Update)
}

// Delete implements providers.Provider.
func (f Faulty) Delete(ctx context.Context, job providers.Job) error {
	_, err := f.change(ctx, "delete", job, func(ctx context.Context, job providers.Job) (resource.Object, error) {
		return resource.Object{}, f.Provider.Delete(ctx, job)
	})
	return err
}

// Settle implements providers.Provider.
func (f Faulty) Settle(ctx context.Context, target providers.Target, task string) (resource.Seen, error) {
	if err := f.hook(f.Before, "settle"); err != nil {
		return resource.Seen{}, err
	}
	return f.Provider.Settle(ctx, target, task)
}

func (f Faulty) change(ctx context.Context, method string, job providers.Job,
	do func(context.Context, providers.Job) (resource.Object, error)) (resource.Object, error) {
	if err := f.hook(f.Before, method); err != nil {
		return resource.Object{}, err
	}
	o, err := do(ctx, job)
	if err != nil {
		return o, err
	}
	if err := f.hook(f.After, method); err != nil {
		return resource.Object{}, err
	}
	return o, nil
}
