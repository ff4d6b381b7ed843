package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/resource"
)

// TestExamplesLoadAndAreTidy holds what newcomers copy against the real kinds.
func TestExamplesLoadAndAreTidy(t *testing.T) {
	proxmoxKinds := map[string]*resource.Kind{}
	for _, kind := range proxmox.Kinds() {
		proxmoxKinds[kind.Name] = kind
	}
	environment := map[string]string{"PVE_ENDPOINT": "https://pve.example.net:8006", "PVE_TOKEN_ID": "proximity@pve!cli", "PVE_TOKEN": "x"}
	for dir, apps := range map[string]int{"homelab": 14, "minimal": 1, "existing-node": 1} {
		root := filepath.Join("..", "..", "examples", dir)
		c, problems := Load(Options{Dir: root, Kinds: proxmoxKinds, Version: "0.1.0", LookupEnv: func(name string) (string, bool) {
			text, ok := environment[name]
			return text, ok
		}})
		require.Empty(t, told(problems), dir)
		for _, r := range c.Resources {
			if r.Addr.Kind == "app" {
				apps--
			}
		}
		require.Zero(t, apps, dir)
		files, err := filepath.Glob(filepath.Join(root, "*.hcl"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			tidy, problems := Format(file, source)
			require.Empty(t, told(problems))
			require.Equal(t, string(tidy), string(source), file)
		}
	}
}
