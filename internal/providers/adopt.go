package providers

import (
	"context"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// Adopter is a provider that can tell what is there to be taken over.
type Adopter interface {
	// Adoptable looks at the guests with these IDs, or without any at all
	// containers that are no templates, in the order of their IDs. One that cannot
	// be read is a Candidate that says Why. An ID that is not there is an error.
	Adoptable(ctx context.Context, ids []string) ([]Candidate, error)
}

// Candidate is a guest that may be taken over.
type Candidate struct {
	ID   string
	Name string // as the host knows it
	Node string
	// Want conforms to the kind's schema and asks for just what is there.
	Want cty.Value
	Kept []string // what is there and Want cannot say: it stays
	Why  string   // why it cannot be taken over; empty: it can
	// Marker is that which it carries; the zero value is none. Whether what has
	// one may be taken over only the state can tell.
	Marker resource.Marker
}
