package jobs

import (
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// Completion of command lines: what a shell offers. It never fails, and opens
// nothing but the pipeline file and the folder of its dead letters: where those
// can't be read, there is nothing to offer.

// completer offers what a word may be.
type completer = cobra.CompletionFunc

// offer completes a flag.
func offer(cmd *cobra.Command, flag string, f completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is not there, or has its words already
	}
}

// oneOf offers words.
func oneOf(words ...string) completer {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// offerFiles has a command's arguments completed: so many pipeline files at first,
// any number where that is 0, and then what more offers, if there is more.
func offerFiles(cmd *cobra.Command, n int, more completer) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case n == 0 || len(args) < n:
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		case more != nil:
			return more(cmd, args, word)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// ofFile offers names from the pipeline file that is the first argument.
func ofFile(set *[]string, names func(f *spec.File) []string) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		data, err := os.ReadFile(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		f, _ := spec.Load(args[0], data, kinds(), spec.Options{Set: *set, Env: os.LookupEnv}) // its sound parts have names
		if f == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(f), cobra.ShellCompDirectiveNoFileComp
	}
}

// maxOffered bounds the ids that are offered.
const maxOffered = 1000

// letterIDs offers the ids of dead letters with these statuses, all without any,
// that are not on the command line yet.
func letterIDs(set *[]string, statuses ...deadletters.Status) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var ids []cobra.Completion
		a, err := load(args[0], *set)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		_ = a.look(&choice{}, func(f *deadletters.Found) error { // what was found before an error is fine
			if len(ids) == maxOffered {
				return io.EOF
			}
			if !slices.Contains(args[1:], f.ID) && (len(statuses) == 0 || slices.Contains(statuses, f.Status)) {
				ids = append(ids, cobra.CompletionWithDesc(f.ID, string(f.Reason)+": "+a.file.Redact(f.Message)))
			}
			return nil
		})
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// nodeNames lists the nodes that may refuse a record.
func nodeNames(f *spec.File) (names []string) {
	for _, nodes := range []spec.Map[*spec.NodeConfig]{f.Transforms, f.Sinks, f.Sources} {
		for _, e := range nodes {
			names = append(names, e.Name)
		}
	}
	return names
}

// boundedSources offers the sources that backfill may read.
func boundedSources(set *[]string) completer {
	return func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			if a, err := load(args[0], *set); err == nil {
				for _, s := range a.config.Sources {
					if !isEndless(s.Source) {
						names = append(names, s.Name)
					}
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
