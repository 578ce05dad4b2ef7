package jobs

import "github.com/spf13/cobra"

// stateFlags are those of commands that hold a file against a state without
// running it.
type stateFlags struct {
	dir     string
	fromNow []string
}

func (f *stateFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "state", "", "hold the file against this state folder; default: its state.dir, where it is there")
	fromNowFlag(cmd, &f.fromNow)
}

// fromNowFlag adds --from-now to a command.
func fromNowFlag(cmd *cobra.Command, nodes *[]string) {
	cmd.Flags().StringSliceVar(nodes, "from-now", nil, "take changes of this node's content for what is read from now on; may be repeated, or a list: a,b")
	offer(cmd, "from-now", oneOf())
}
