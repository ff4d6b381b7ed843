package pve

import (
	"context"
	"net/http"
)

// Probe asks the current endpoint for its release once, without patience: to
// find out whether it answers at all, and takes the credentials.
func (c *Client) Probe(ctx context.Context) (Version, error) {
	var answer struct{ Version Text }
	if err := c.once(ctx, call{http.MethodGet, "/version", nil}, &answer); err != nil {
		return Version{}, err
	}
	return ParseVersion(string(answer.Version))
}
