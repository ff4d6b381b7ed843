package pvesim

import (
	"encoding/hex"
	"fmt"
	"time"
)

// tx is one transaction: the estate at one time. Handlers and effects get it and must not keep it.
type tx struct {
	*estate
	sim  *Sim
	now  time.Time
	fate fate // of the task that this request makes
}

// view runs a transaction that brought the world forward to now.
func (s *Sim) view(do func(x *tx)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.hold(); err != nil {
		return err
	}
	x := &tx{estate: s.estate, sim: s}
	x.advance(s.clock.Now())
	do(x)
	return s.drop()
}

// random returns the next of the estate's random numbers (the splitmix64 sequence).
func (x *tx) random() uint64 {
	m := x.meta.at("")
	m.Rand += 0x9e3779b97f4a7c15
	x.meta.touch("")
	z := m.Rand
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newMAC makes a MAC address with the cluster's prefix, a local one where it has none.
func (x *tx) newMAC() string {
	r := x.random()
	prefix := x.meta.at("").MACPrefix
	if prefix == "" { // local and unicast
		prefix = fmt.Sprintf("%02X:%02X:%02X", byte(r>>40)&^1|2, byte(r>>32), byte(r>>24))
	}
	return fmt.Sprintf("%s:%02X:%02X:%02X", prefix, byte(r>>16)|1, byte(r>>8), byte(r))
}

// newUUID makes a random UUID.
func (x *tx) newUUID() string {
	raw := make([]byte, 0, 16)
	for len(raw) < 16 {
		r := x.random()
		for range 8 {
			raw = append(raw, byte(r))
			r >>= 8
		}
	}
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	h := hex.EncodeToString(raw)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
