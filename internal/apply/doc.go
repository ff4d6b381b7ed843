// Package apply carries a plan out. It is the only writer: it walks the steps
// in parallel within the limits, announces each in the journal before its
// first request, records its result before reporting it, and settles what an
// earlier run left open. It decides nothing about what to do.
package apply
