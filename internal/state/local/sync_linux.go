package local

import (
	"os"
	"syscall"
)

// flush waits until what was written over bytes that are on disk already is
// there too. The file's times need not be: a quarter less to wait for.
func flush(file *os.File) error {
	for {
		if err := syscall.Fdatasync(int(file.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
