//go:build !linux

package local

import "os"

// flush waits until what was written is on disk.
func flush(file *os.File) error { return file.Sync() }
