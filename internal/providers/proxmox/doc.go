// Package proxmox makes, changes and removes containers, backup jobs and
// templates on Proxmox VE. It owns the kinds "app", "backup_policy" and
// "template": what they may hold, how each setting is written to the host,
// read back from it, and what it takes to change it there. How requests travel
// is the work of package pve below it.
//
// The words: a slot is the key of a line in a container's configuration, such
// as net0 or mp1; a line is its value, a list of fields. A spec is the text by
// which a template or image is asked for, a volume id what Proxmox calls it.
//
// Facts about Proxmox that the code rests on are from the sources of Proxmox
// VE 9.1 (pve-container 6.1, pve-manager 9.1) and from recordings of a node
// running 9.2.11.
package proxmox

import "github.com/proximity-cli/proximity/internal/resource"

// Kinds returns the kinds of resources that a Proxmox host can have. It needs
// no host; each call returns values of its own.
func Kinds() []*resource.Kind {
	return []*resource.Kind{appKind(), policyKind(), templateKind()}
}
