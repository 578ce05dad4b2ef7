package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// The heap that the garbage collector aims at: the least that lets it work
// without haste, and what epochs in flight, decoders and encoders take besides
// the state.
const (
	leastMemory = 280 << 20
	workMemory  = 200 << 20
	// keyedMemory is what an epoch of transforms with keyed state takes more: the
	// rows that it touches, in them and from the state. With less the collector
	// does most of the work.
	keyedMemory = 640 << 20
)

const fromNowHelp = "A state that has rows refuses a pipeline file that was changed in what these rows are made of. --from-now NODE takes\n" +
	"changes of what a node gives for what is read from then on: rows that are there stay until their items change.\n" +
	"starlift validate FILE says what would be taken and what refused."

func (s *cli) runCommand() *cobra.Command {
	var set, fromNow []string
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a pipeline, going on where it stopped",
		Long: "Run reads the sources from where the last run ended. It ends with status 0 when every source is bounded and read;\n" +
			"otherwise it goes on until it is stopped. SIGINT and SIGTERM finish the epoch within 30 seconds, a second one stops\n" +
			"at once; both are safe. SIGHUP loads reference tables again.\n\n" +
			fromNowHelp,
		Example: "  starlift run configs/quickstart.yaml\n  starlift run shop.yaml --set epoch.interval=5s\n  starlift run shop.yaml --from-now items",
		Args:    exactly(1, "one pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := load(args[0], set)
			if err != nil {
				return err
			}
			a.fromNow = fromNow
			return s.runPipeline(cmd.Context(), a)
		},
	}
	setFlag(cmd, &set)
	fromNowFlag(cmd, &fromNow)
	offerFiles(cmd, 1, nil)
	return cmd
}

func (s *cli) backfillCommand() *cobra.Command {
	var set, sources, fromNow []string
	cmd := &cobra.Command{
		Use:   "backfill FILE",
		Short: "Read bounded sources once, from the start or where an unfinished reading stopped",
		Long: "Backfill reads the bounded sources of a pipeline to their end. A reading that was interrupted goes on; after a\n" +
			"finished one the sources are read again from their start, with the same result in settled tables. Sinks that\n" +
			"append or keep the log get what is read again a second time.\n\n" +
			fromNowHelp,
		Example: "  starlift backfill shop.yaml\n  starlift backfill shop.yaml --source shop_export",
		Args:    exactly(1, "one pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := load(args[0], set)
			if err != nil {
				return err
			}
			if err := a.boundedOnly(sources); err != nil {
				return err
			}
			a.config.FromStart, a.fromNow = true, fromNow
			return s.runPipeline(cmd.Context(), a)
		},
	}
	setFlag(cmd, &set)
	fromNowFlag(cmd, &fromNow)
	cmd.Flags().StringArrayVar(&sources, "source", nil, "read only this source; may be repeated; default: all that are bounded")
	offer(cmd, "source", boundedSources(&set))
	offerFiles(cmd, 1, nil)
	return cmd
}

// boundedOnly leaves the named sources, all without names, that end by themselves.
func (a *assembly) boundedOnly(names []string) error {
	var kept []graph.SourceNode
	for _, s := range a.config.Sources {
		switch named := slices.Contains(names, s.Name); {
		case named && !s.Source.Bounded():
			return usage(fmt.Errorf("--source %q: it is followed and has no end: run reads it; backfill reads bounded sources", s.Name))
		case named || len(names) == 0 && s.Source.Bounded():
			kept = append(kept, s)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(kept, func(s graph.SourceNode) bool { return s.Name == n }) {
			return usage(fmt.Errorf("--source %q: the pipeline file has no such source", n))
		}
	}
	if len(kept) == 0 {
		return usage(errors.New("every source is followed and has no end: run reads them; backfill reads bounded sources"))
	}
	plan, err := a.config.With(func(n *graph.Nodes) { n.Sources = kept })
	if err != nil {
		return err
	}
	a.config.Plan, a.config.Bounded = plan, true
	a.setInbox()
	return nil
}

// runPipeline runs until the sources end or a signal comes.
func (s *cli) runPipeline(ctx context.Context, a *assembly) error {
	_, err := s.execute(ctx, a)
	return err
}

func (s *cli) execute(ctx context.Context, a *assembly) (telemetry.Progress, error) {
	defer a.limitMemory()()
	logWarnings(a.config.Log, a.file.Warnings())
	stop, kill, release := s.signals(ctx, a.reload)
	defer release()
	m := status.NewMonitor(a.status())
	server, err := status.Serve(m)
	if err != nil {
		return telemetry.Progress{}, err
	}
	a.config.Compare = a.compare
	if s.hook != nil {
		a.config.Hook = s.hook
	}
	a.config.Opened = func(stateID string, epoch int64) { a.opened(server, stateID, epoch) }
	a.config.GiveUp = func(err error) func() bool {
		return s.endWithin(quitWithin, fmt.Errorf("%s: %w", a.file.Name, redacted(a, err)))
	}
	show := status.ShowProgress(m, s.progressScreen(a))
	started := time.Now()
	err = engine.Run(stop, kill, a.config)
	total := a.recorder.Progress()
	show.End(err == nil && total.Ended)
	if c := a.otherName(err); c != nil {
		err = c.err()
	}
	err = errors.Join(err, server.Close())
	if err != nil && kill.Err() != nil {
		if errors.Is(err, context.Canceled) {
			err = nil // that is how it was stopped
		}
		return total, errors.Join(fmt.Errorf("%s: stopped before the epoch was finished; the next run goes on at the last one that was saved", a.file.Name), redacted(a, err))
	}
	if err != nil {
		return total, fmt.Errorf("%s: %w", a.file.Name, redacted(a, err))
	}
	logDone(a, total, time.Since(started))
	return total, nil
}

// endWithin ends the process with an error, unless it ends by itself before: what
// is at work may be stuck in a library or a disk. What it returns takes it back.
func (s *cli) endWithin(d time.Duration, err error) (undo func() bool) {
	return time.AfterFunc(d, func() { os.Exit(s.status(err)) }).Stop
}

// opened says what runs, and makes it possible to ask it.
func (a *assembly) opened(server *status.Server, stateID string, epoch int64) {
	var sources, sinks []string
	for _, n := range a.config.Sources {
		sources = append(sources, describe(n.Name, a.file.Sources))
	}
	for _, n := range a.config.Sinks {
		sinks = append(sinks, describe(n.Name, a.file.Sinks))
	}
	a.config.Log.Info("starting", "version", thisBuild().Version, "pipeline", a.file.Name, "file", a.path,
		"sources", strings.Join(sources, ", "), "sinks", strings.Join(sinks, ", "), "state", a.config.StateDir, "state_id", stateID, "epoch", epoch)
	l, err := status.ListenSocket(a.config.StateDir)
	if err != nil {
		slog.Warn("starlift status can't ask this pipeline at a socket in its state folder", "pipeline", a.file.Name, "error", err)
		return
	}
	server.Listen(l)
}

func describe(name string, nodes spec.Map[*spec.NodeConfig]) string {
	if n, ok := nodes.Get(name); ok {
		return fmt.Sprintf("%s (%s)", name, n.Type)
	}
	return name
}

// logDone says how far the pipeline is and what this run did for it.
func logDone(a *assembly, total telemetry.Progress, took time.Duration) {
	attrs := []any{"pipeline", a.file.Name}
	epoch, err := lastEpoch(a, total)
	if err != nil {
		slog.Warn("the last epoch is not known", "pipeline", a.file.Name, "error", redacted(a, err))
	}
	if epoch > 0 {
		attrs = append(attrs, "epoch", epoch)
	}
	how := "done"
	if !total.Ended {
		how = "stopped" // the next run goes on there
	}
	attrs = append(attrs, "records", total.Records, "megabytes", total.Bytes/1e6, "dead_letters", total.DeadLetters)
	if total.Reread > 0 {
		attrs = append(attrs, "read_again", total.Reread)
	}
	slog.Info(how, append(attrs, "took", took)...)
}

// lastEpoch returns the last epoch that was committed: by this run, or, where
// it found nothing to read, by one before it. 0 = none was.
func lastEpoch(a *assembly, total telemetry.Progress) (epoch int64, err error) {
	if total.Epoch > 0 {
		return total.Epoch, nil
	}
	store, err := state.Inspect(a.config.StateDir, state.Options{Pipeline: a.file.Name})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Committed()
}

// limitMemory lets the heap grow with the state and no further, unless the
// environment (GOMEMLIMIT) says more exactly what there is. The caller lifts it.
func (a *assembly) limitMemory() (lift func()) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	keyed := int64(0)
	if len(a.config.Stateful) > 0 {
		keyed = keyedMemory
	}
	debug.SetMemoryLimit(leastMemory + keyed)
	a.recorder.OnEpoch(func(p telemetry.Progress) {
		debug.SetMemoryLimit(keyed + a.referenceMemory() + max(leastMemory, workMemory+p.StateMemory))
	})
	return func() { debug.SetMemoryLimit(math.MaxInt64) }
}

// referenceMemory is what references take: the versions in use, and as much for
// new ones, which are loaded beside them.
func (a *assembly) referenceMemory() (n int64) {
	for _, ref := range a.recorder.References() {
		n += 2 * ref.Bytes
	}
	return n
}

// redacted takes secrets out of an error's text.
func redacted(a *assembly, err error) error {
	if err == nil {
		return nil
	}
	if text := a.file.Redact(err.Error()); text != err.Error() {
		return redactedError{text, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (r redactedError) Error() string { return r.text }
func (r redactedError) Unwrap() error { return r.err }

// progressScreen is where the bar of a run is drawn: on a terminal, where the run has
// an end; nil = nowhere.
func (s *cli) progressScreen(a *assembly) status.Screen {
	if terminal(s.err) && a.config.Bounded {
		return s.screen()
	}
	return nil
}
