package pve

import (
	"context"
	"net/http"
)

// Probe asks the current endpoint once, without patience: whether it answers at
// all, is Proxmox VE, and takes the credentials.
func (c *Client) Probe(ctx context.Context) error {
	var answer struct{ Version Text }
	if err := c.once(ctx, call{http.MethodGet, "/version", nil}, &answer); err != nil {
		return err
	}
	_, err := ParseVersion(string(answer.Version))
	return err
}
