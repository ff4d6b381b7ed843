// Package pvesim is the Proxmox VE API as a program: nodes, storages, containers, tasks, locks, permissions and faults, good
// enough that being wrong about Proxmox shows as a failing test. It is held against recordings of a real node and imports
// nothing of this project but its own parameter tables in pvesim/schema, so that it cannot share a misunderstanding with
// the client it tests.
//
// # Words
//
//   - The estate is everything that is kept: guests, volumes, tasks, storages, users and so on, as rows of typed tables.
//   - A request runs in a transaction (tx): it first brings the world forward to now, then a handler looks and changes
//     rows. Changed rows are appended to the estate's log as one line.
//   - A task is a stored record: steps with due times. No goroutine belongs to it, so it goes on after a kill of the
//     process, as on a node that outlived its client. A step may take or drop a lock, write log lines and have an effect.
//   - An effect is what a step does to the world, known by its name.
//
// # In tests
//
// Options.Clock steps simulated time, Options.Seed says what there is, Sim.World copies what there is without HTTP, Sim.Edit
// changes it as somebody else would, and a Fault makes requests go wrong. The same seed, clock and Options.Rand give the
// same world, to the last MAC address. TestRecordings sends what a real node was sent and
// wants the same answers.
//
// # Releases
//
// An estate is one release of Proxmox VE for good. Its parameters and operations are those of schema.At; what it does
// otherwise than older ones is a trait in version.go, asked for with tx.has.
//
// # Adding an operation
//
// The parameters of an operation come from package schema, as does its declared permission: both are checked before the
// handler runs. A file adds its operations with a function that returns handlers by "VERB /path/{with}/{placeholders}",
// named in register.go, and its effects with another. A handler returns what belongs below "data", or an error made by
// die, badParam or forbidden; it checks everything before it changes anything, because a failed handler is not undone.
package pvesim
