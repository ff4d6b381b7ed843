package state

// Vault encrypts what a state keeps.
type Vault interface {
	New() (Box, error)
	Open(header []byte) (Box, error)
}

// Box seals.
type Box interface {
	Header() []byte
	Seal(plain []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error)
}

// ErrSealed is temporary.
type ErrSealed struct{ Store, Why string }

func (e *ErrSealed) Error() string { return e.Why }
