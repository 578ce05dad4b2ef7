package jobs

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// Completion of command lines in a shell never fails. It opens nothing but the pipeline file and
// the folder of its dead letters; if those can't be read, it offers nothing.

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

// offerFiles completes a command's arguments: n pipeline files, any number of them if n is 0,
// and behind them what more offers, if it is not nil.
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
		f, _ := spec.Load(args[0], data, assembly.Kinds(), spec.Options{Set: *set, Env: os.LookupEnv}) // its sound parts have names
		if f == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(f), cobra.ShellCompDirectiveNoFileComp
	}
}

// offeredIDsMax bounds the ids that are offered.
const offeredIDsMax = 1000

// letterIDs offers the ids of dead letters with these statuses, all without any,
// that are not on the command line yet.
func letterIDs(set *[]string, statuses ...deadletters.Status) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var ids []cobra.Completion
		a, err := assembly.Load(args[0], *set)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		_ = eachCurrentLetter(cmd.Context(), a, &letterFilter{}, func(f *deadletters.Found) error { // what was found before an error is fine
			if len(ids) == offeredIDsMax {
				return io.EOF
			}
			if !slices.Contains(args[1:], f.ID) && (len(statuses) == 0 || slices.Contains(statuses, f.Status)) {
				ids = append(ids, cobra.CompletionWithDesc(f.ID, string(f.Reason)+": "+a.File.Redact(f.Message)))
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
			if a, err := assembly.Load(args[0], *set); err == nil {
				for _, s := range a.Config.Sources {
					if s.Source.Bounded() {
						names = append(names, s.Name)
					}
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// bashFunctions replaces the functions of the package bash-completion that the library's script
// calls: many systems lack it. The typed line is split at blanks, which leaves ids with colons
// and --flag=value whole.
const bashFunctions = `
__starlift_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line="${COMP_LINE:0:COMP_POINT}"
    IFS=$' \t' read -ra words <<< "$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    cword=$((${#words[@]} - 1))
    cur="${words[cword]}" prev="${words[cword-1]}"
}

# Offers folders, and files with one of the endings in $1 unless that is -d.
__starlift_filedir()
{
    if declare -F _filedir >/dev/null 2>&1; then
        _filedir "$@"
        return
    fi
    compopt -o filenames 2>/dev/null
    local name ending="\.(${1%|})\$"
    while IFS= read -r name; do
        if [[ -d ${name/#\~/$HOME} || $1 != -d && $name =~ $ending ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen -f -- "$cur")
}
`

// completeBash makes the script for bash work by itself.
func completeBash(cmd *cobra.Command) {
	cmd.Long = strings.Replace(cmd.Long, "This script depends on the 'bash-completion' package.\nIf it is not installed already, you can install it via your OS's package manager.\n\n", "", 1)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plain, err := cmd.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		var script strings.Builder
		if err := cmd.Root().GenBashCompletionV2(&script, !plain); err != nil {
			return err
		}
		_, err = io.WriteString(cmd.OutOrStdout(), strings.ReplaceAll(script.String(), "_filedir", "__starlift_filedir")+bashFunctions)
		return err
	}
}
