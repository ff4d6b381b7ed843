package schema

import (
	"os"
	"path/filepath"
)

// shared returns where something optional beside the module lies, or what the environment variable says.
func shared(variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		return path
	}
	return filepath.Join("..", "..", "..", "..", "shared", "pve", name)
}
