package s3

import (
	"context"
	"net"
	"time"
)

// Impatient returns a store that looks after its lock all the time and gives
// up soon.
func Impatient(c Config) (*Store, error) {
	return newStore(c, tuning{
		poll: 5 * time.Millisecond, stall: 5 * time.Second, tries: 3, pause: 10 * time.Millisecond,
		dial: new(net.Dialer).DialContext,
	})
}

// Hasty returns a store that waits for no answer for long.
func Hasty(c Config) (*Store, error) {
	return newStore(c, tuning{
		poll: time.Hour, stall: 500 * time.Millisecond, tries: 1, pause: time.Millisecond,
		dial: new(net.Dialer).DialContext,
	})
}

// Through returns a store that reaches all names under one address, and calls
// asked with each name.
func Through(c Config, address string, asked func(string)) (*Store, error) {
	return newStore(c, tuning{
		poll: time.Hour, stall: 5 * time.Second, tries: 1, pause: time.Millisecond,
		dial: func(ctx context.Context, network, name string) (net.Conn, error) {
			asked(name)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
}

// Watched returns a connection that times out when it stalls.
func Watched(conn net.Conn, stall time.Duration) net.Conn { return &watched{conn, stall} }
