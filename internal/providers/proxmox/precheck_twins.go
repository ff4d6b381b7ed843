package proxmox

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// namesakes returns the containers that are not known as ours and have the name
// of an app that is to be made for the first time, or none as far as the listing
// tells: where the state was lost, they may be that very app.
func namesakes(survey resource.Survey, proposals []providers.Proposal) []resource.Guest {
	names := map[string]bool{}
	for _, proposal := range proposals {
		if isFirst(proposal) {
			names[strings.ToLower(hostname(proposal.Want))] = true
		}
	}
	var all []resource.Guest
	for _, g := range survey.Guests {
		node := survey.Node(g.Node)
		isAlike := len(names) > 0 && mayBeNamed(names, g.Name, int64(g.ID))
		if g.Type == "lxc" && g.Ours == nil && isAlike && node != nil && node.Online {
			all = append(all, g)
		}
	}
	return all
}

func isFirst(proposal providers.Proposal) bool {
	return proposal.Addr.Kind == "app" && proposal.Create && proposal.Prior == nil
}

// askMarker returns the marker of a guest, and false when it cannot be read.
func (p *Provider) askMarker(ctx context.Context, g resource.Guest) (resource.Marker, bool) {
	marker, err := p.readMarker(ctx, g)
	return marker, err == nil
}

func (p *Provider) readMarker(ctx context.Context, g resource.Guest) (resource.Marker, error) {
	var config struct{ Description string }
	err := p.Client.Read(ctx, pve.Path("nodes", g.Node, g.Type, strconv.Itoa(g.ID), "config"), nil, &config)
	_, marker := resource.Split(config.Description)
	return marker, err
}

// twins refuses to make an app that is there already by its marker: the state
// that recorded it is lost, or another one is used by mistake. To go on would
// double everything.
func (c *checker) twins(proposals []providers.Proposal) {
	for _, proposal := range proposals {
		if !isFirst(proposal) {
			continue
		}
		for _, g := range c.twinsOf(proposal) {
			c.err(proposal.Want.Where(nil), fmt.Sprintf("%s is there already, as container %d", proposal.Addr, g.ID),
				fmt.Sprintf("put that state back; when it is lost, take the line that begins with <!-- proximity out of the notes of "+
					"container %d, then: proximity adopt %s/%d %s", g.ID, c.survey.Host, g.ID, quoted(proposal.Addr.String())),
				"its marker is of the state with the lineage %s, which is not the one used here or does not record it", c.answers.markers[g.ID].Lineage)
		}
	}
}

// twinsOf returns the guests that are the app of a proposal already.
func (c *checker) twinsOf(proposal providers.Proposal) []resource.Guest {
	var all []resource.Guest
	for _, g := range c.survey.Guests {
		if marker, isMarked := c.answers.markers[g.ID]; isMarked && isFirst(proposal) && marker.Addr == proposal.Addr {
			all = append(all, g)
		}
	}
	return all
}
