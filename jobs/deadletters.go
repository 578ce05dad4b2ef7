package jobs

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *streams) deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dead-letters",
		Short:   "List and show the records that took no effect",
		Example: "  starlift dead-letters list shop.yaml\n  starlift dead-letters show shop.yaml ID",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("dead-letters has no command %q: want list or show", args[0]))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(s.deadLettersList(), s.deadLettersShow())
	return cmd
}

func (s *streams) deadLettersList() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "list FILE",
		Short:   "List the dead letters of a pipeline, oldest first",
		Example: "  starlift dead-letters list shop.yaml\n  starlift dead-letters list shop.yaml --reason bad_value --output json",
	}
	cmd.Flags().StringVar(&reason, "reason", "", "only those with this reason code")
	return onFile(cmd, 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		return deadletters.Each(a.file.DeadLetters.URL, func(id string, l *deadletters.Letter) error {
			if l.Pipeline != a.file.Name || reason != "" && string(l.Reason) != reason {
				return nil
			}
			return s.listLetter(id, l, output)
		})
	})
}

// listLetter prints a line; JSON has one object a line, without the record.
func (s *streams) listLetter(id string, l *deadletters.Letter, output string) error {
	if output == "text" {
		_, err := fmt.Fprintf(s.out, "%s  %s  %s  %s:%d  %s: %s\n", id, l.Time.Format("2006-01-02T15:04:05Z"), l.Reason, l.Partition, l.Line, l.Node, l.Message)
		return err
	}
	line := struct {
		ID string `json:"id"`
		*deadletters.Letter
		Record *string `json:"record,omitempty"`
		Binary *string `json:"record_base64,omitempty"`
	}{ID: id, Letter: l}
	return json.NewEncoder(s.out).Encode(line)
}

var errFound = errors.New("found")

func (s *streams) deadLettersShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show FILE ID",
		Short:   "Show one dead letter with its original record",
		Example: "  starlift dead-letters show shop.yaml shop-0f3c…-000000000001.ndjson:1",
	}
	return onFile(cmd, 2, "a pipeline file and the id of a dead letter, as list prints it", func(a *assembly, args []string, output string) error {
		err := deadletters.Each(a.file.DeadLetters.URL, func(id string, l *deadletters.Letter) error {
			if id != args[1] {
				return nil
			}
			if err := s.showLetter(l, output); err != nil {
				return err
			}
			return errFound
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("no dead letter %q in %s: starlift dead-letters list %s prints the ids", args[1], a.file.DeadLetters.URL, args[0])
		}
		return err
	})
}

func (s *streams) showLetter(l *deadletters.Letter, output string) error {
	if output == "json" {
		return s.printJSON(l)
	}
	_, err := fmt.Fprintf(s.out, "reason:   %s\nmessage:  %s\nnode:     %s\nsource:   %s\nposition: %s:%d\ntime:     %s\nepoch:    %d\nrecord:\n%s\n",
		l.Reason, l.Message, l.Node, l.Source, l.Partition, l.Line, l.Time.Format("2006-01-02T15:04:05.000Z"), l.Epoch, l.Original())
	return err
}
