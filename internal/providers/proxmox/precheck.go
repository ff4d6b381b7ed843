package proxmox

import (
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Precheck implements providers.Prechecker.
func (p *Provider) Precheck(survey resource.Survey, proposals []providers.Proposal) diag.List {
	return nil
}
