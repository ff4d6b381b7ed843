package s3

import "time"

// Impatient returns a store that looks after its lock all the time and gives
// up soon.
func Impatient(c Config) (*Store, error) {
	return newStore(c, tuning{poll: 5 * time.Millisecond, stall: 5 * time.Second, tries: 3, pause: 10 * time.Millisecond})
}

// Hasty returns a store that waits for no answer for long.
func Hasty(c Config) (*Store, error) {
	return newStore(c, tuning{poll: time.Hour, stall: 200 * time.Millisecond, tries: 2, pause: time.Millisecond})
}
