package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if a.json {
				a.lines.Object("version", map[string]any{"program": version(), "go": runtime.Version(), "platform": platform})
				return nil
			}
			return a.print(fmt.Sprintf("proximity %s (%s, %s)\n", version(), runtime.Version(), platform))
		},
	}
}

// development is the version of a program that was built from a checkout
// without a tag.
const development = "0.1.0-dev"

// version returns the version that the program was built as.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return development
	}
	return releaseOf(info.Main.Version)
}

// releaseOf turns a module's version into ours. Go gives a checkout without
// any tag the version v0.0.0 and a date, which says nothing to people and
// satisfies no constraint.
func releaseOf(module string) string {
	if module == "" || module == "(devel)" || strings.HasPrefix(module, "v0.0.0-") {
		return development
	}
	return strings.TrimPrefix(module, "v")
}
