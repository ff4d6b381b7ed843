// Package failpoint names the moments at which a run can die: one before and one
// after every effect on a host and every durable write.
//
// In the program that people run it does nothing: the functions only carry out
// the effect. Built with the tag failpoint, the environment says what is to
// happen where (see on.go), and cmd/proximity kills such a program at every point.
//
// points.txt lists the points. It is made from the sources by
//
//	go test ./internal/failpoint -update
//
// and a test holds that it is what the sources have, and that no effect and no
// durable write lies outside of its points.
package failpoint
