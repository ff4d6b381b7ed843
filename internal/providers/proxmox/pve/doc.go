// Package pve talks to the API of Proxmox VE: requests, errors, tasks, and the
// text forms of its settings. It knows nothing of resources. Requests are made
// and signed by the session of github.com/Telmate/proxmox-api-go; sending them,
// repeating them, reading answers and waiting for tasks is done here, since the
// library sleeps without regard for contexts, hides errors and can panic.
//
// What is repeated, and what never is:
//
//   - A GET is repeated when the connection or a proxy fails, at the next endpoint.
//   - What the server refused because a lock was busy is repeated; it did nothing.
//   - Anything else is sent once. Whether it took effect when its answer was lost
//     is for the caller to find out: see IsUnclear.
package pve
