package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const longRoot = `proximity makes a Proxmox VE estate match a set of HCL files.

It compares what the files of the working directory declare with what it did
before and with what is really there, shows a plan, and carries it out.`

const helpExitCodes = `
Exit codes:
  0 done, or nothing to do     5 the state is locked
  1 error                      6 the plan file is stale
  2 changes, or drift          7 applied in part
  3 files are not formatted    8 not approved
  4 configuration invalid     64 wrong usage, 130 interrupted
`

// root returns the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "proximity",
		Short:             "Terraform's way of working, made for Proxmox VE",
		Long:              longRoot,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.start,
		Args:              noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.chdir, "chdir", "C", "", "work in `DIR` instead of the current directory")
	flags.BoolVar(&a.noColor, "no-color", false, "no colours, whatever the terminal can show")
	flags.BoolVar(&a.json, "json", false, "write one JSON object a line to stdout")
	flags.StringVar(&a.logLevel, "log-level", "warn", "log to stderr from `LEVEL` on: debug, info, warn or error")
	flags.StringArrayVar(&a.vars, "var", nil, "set a variable, as `NAME=VALUE`; may be repeated")
	flags.StringArrayVar(&a.varFiles, "var-file", nil, "set the variables in `FILE`; may be repeated")
	flags.BoolVarP(&a.yes, "yes", "y", false, "never ask: approve what is planned")
	template := strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages |", "Flags.FlagUsagesWrapped 80 |")
	root.SetUsageTemplate(template + "{{if not .HasParent}}" + helpExitCodes + "{{end}}")
	root.AddCommand(
		a.validateCommand(), a.fmtCommand(), a.planCommand(), a.applyCommand(), a.destroyCommand(),
		a.driftCommand(), a.adoptCommand(), a.historyCommand(),
		a.showCommand(), a.outputCommand(), a.stateCommand(), a.hostCommand(), a.simCommand(), a.versionCommand(),
	)
	return root
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return fmt.Errorf("%q: no argument is expected here", args[0])
	}
	err := fmt.Errorf("there is no command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // SuggestionsFor itself takes 0 for no suggestions
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%w: did you mean %q?", err, slices.MaxFunc(near, func(x, y string) int {
			return shared(x, args[0]) - shared(y, args[0]) // nobody means destroy who writes histroy
		}))
	}
	return err
}

// shared returns how many bytes two words have in common at their beginning.
func shared(x, y string) int {
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}

// atMostOne allows one argument, which the command calls what.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%q: at most one %s is expected", args[1], what)
		}
		return nil
	}
}

var errNoSubcommand = errors.New("a subcommand is needed")

// group returns a command that only holds others.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage{cmd.CommandPath(), errNoSubcommand}
		},
	}
}

// exactlyOne requires one argument, which the command calls what.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("one %s is expected", what)
		}
		return nil
	}
}
