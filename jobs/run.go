package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	_ "github.com/starlift-etl/starlift/jobs/internal/threads" // sets them up
	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// The heap that the garbage collector aims at.
const (
	// heapBytesMin lets the collector run seldom enough.
	heapBytesMin = 310 << 20
	// workBytes is what epochs in flight, decoders and encoders take besides the state.
	workBytes = 230 << 20
	// statefulBytes is what an epoch takes more if there are stateful transforms: the rows
	// that it changes, in the transforms and from the state. With 100 MiB less, the collector
	// runs twice as often.
	statefulBytes = 288 << 20
)

const acceptGapHelp = "A source whose records were gone before they were read, a shard that kept them for a day while the pipeline was down for two,\n" +
	"has a gap: it is saved, and the run ends with status 3, as does each start from then on, which changes nothing. What is lost can be\n" +
	"mended from an export. --accept-gap goes on behind the gaps that are saved, and those that are found at this start, where the\n" +
	"last run ended; one that comes later ends the run again. starlift status shows accepted gaps for 30 days and longer."

const fromNowHelp = "A state that has rows refuses a pipeline file that was changed in what these rows are made of. --from-now NODE takes\n" +
	"changes of what a node gives for what is read from then on: rows that are there stay until their items change.\n" +
	"starlift validate FILE says what would be taken and what refused."

const requestExportHelp = "--request-export asks DynamoDB for a full export of the table, waits until it is made, which takes minutes to hours, and reads\n" +
	"it: of each dynamodb_export or dynamodb source, or of those that --source names. When it is interrupted, the next one goes on with\n" +
	"the same export."

func (s *cli) runCommand() *cobra.Command {
	var set, fromNow []string
	var acceptGap bool
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a pipeline, going on where it stopped",
		Long: "Run reads the sources from where the last run ended. It ends with status 0 when every source is bounded and read;\n" +
			"otherwise it goes on until it is stopped. SIGINT and SIGTERM finish the epoch within 30 seconds, a second one stops\n" +
			"at once; both are safe. SIGHUP loads reference tables again.\n\n" +
			acceptGapHelp + "\n\n" + fromNowHelp,
		Example: "  starlift run configs/quickstart.yaml\n  starlift run shop.yaml --set epoch.interval=5s\n  starlift run shop.yaml --from-now items\n" +
			"  starlift run shop.yaml --accept-gap",
		Args: exactly(1, "one pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := assembly.Load(args[0], set)
			if err != nil {
				return err
			}
			if acceptGap && len(statusOf(a).Gaps) == 0 {
				return usage.Wrap(fmt.Errorf("%s has no source that goes on behind a gap by --accept-gap: docs/following.md and docs/exports.md say what to do about files", args[0]))
			}
			a.FromNow, a.Config.AcceptGap = fromNow, acceptGap
			return s.runPipeline(cmd.Context(), a)
		},
	}
	setFlag(cmd, &set)
	fromNowFlag(cmd, &fromNow)
	cmd.Flags().BoolVar(&acceptGap, "accept-gap", false, "go on behind gaps: input that was lost before it was read")
	offerFiles(cmd, 1, nil)
	return cmd
}

const repairHelp = "--repair is for a dynamodb source whose stream has lost changes (a gap): it accepts the gap, reads a full export of the table that\n" +
	"is newer than it, the newest that is there or one that it asks for, and removes the rows of items that the export does not have and of which\n" +
	"nothing newer is known. It goes on where it was interrupted, and so does run."

func (s *cli) backfillCommand() *cobra.Command {
	var set, sources, fromNow []string
	var requestExport, repair bool
	cmd := &cobra.Command{
		Use:   "backfill FILE",
		Short: "Read bounded sources once, from the start or where an unfinished reading stopped",
		Long: "Backfill reads the bounded sources of a pipeline to their end. A reading that was interrupted goes on; after a\n" +
			"finished one the sources are read again from their start, with the same result in settled tables. Sinks that\n" +
			"append or keep the log get what is read again a second time.\n\n" +
			requestExportHelp + "\n\n" + repairHelp + "\n\n" + fromNowHelp,
		Example: "  starlift backfill shop.yaml\n  starlift backfill shop.yaml --source shop_export\n  starlift backfill shop.yaml --request-export\n  starlift backfill shop.yaml --repair",
		Args:    exactly(1, "one pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := assembly.Load(args[0], set)
			if err != nil {
				return err
			}
			switch {
			case requestExport && repair:
				return usage.Wrap(errors.New("--repair asks for an export by itself: leave --request-export out"))
			case requestExport:
				err = a.WithRequestedExports(sources)
			case repair:
				err = a.WithRepairs(sources)
			default:
				err = a.BoundedOnly(sources)
			}
			if err != nil {
				return err
			}
			a.Config.FromStart, a.FromNow = true, fromNow
			return s.runPipeline(cmd.Context(), a)
		},
	}
	setFlag(cmd, &set)
	fromNowFlag(cmd, &fromNow)
	cmd.Flags().StringArrayVar(&sources, "source", nil, "read only this source; may be repeated; default: all that are bounded")
	cmd.Flags().BoolVar(&requestExport, "request-export", false, "ask DynamoDB for a full export, wait for it, and read it")
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what a gap has left in the tables of a dynamodb source, from an export")
	offer(cmd, "source", boundedSources(&set))
	offerFiles(cmd, 1, nil)
	return cmd
}

// runPipeline runs until the sources end or a signal comes.
func (s *cli) runPipeline(ctx context.Context, a *assembly.Pipeline) error {
	_, err := s.execute(ctx, a)
	return err
}

func (s *cli) execute(ctx context.Context, a *assembly.Pipeline) (telemetry.Progress, error) {
	defer limitMemory(a)()
	logWarnings(a.Config.Log, a.File.Warnings())
	stop, kill, release := s.signals(ctx, func() { reloadReferences(a) })
	defer release()
	m := status.NewMonitor(statusOf(a))
	server, err := status.Serve(m)
	if err != nil {
		return telemetry.Progress{}, err
	}
	a.Config.Compare = a.Compare
	if s.hook != nil {
		a.Config.Hook = s.hook
	}
	if s.runner != nil {
		a.Config.Runner = s.runner
	}
	a.Config.Opened = func(stateID string, epoch int64) { announce(a, server, stateID, epoch) }
	a.Config.OnCallTimeout = func(err error) func() bool {
		return s.endWithin(quitWithin, fmt.Errorf("%s: %w", a.File.Name, assembly.Redacted(a, err)))
	}
	show := status.ShowProgress(m, s.progressScreen(a))
	started := time.Now()
	err = engine.Run(stop, kill, a.Config)
	total := a.Recorder.Progress()
	show.End(err == nil && total.Ended)
	if c := a.OtherName(err); c != nil {
		err = c.Err()
	}
	err = errors.Join(err, server.Close())
	if err != nil && kill.Err() != nil {
		if errors.Is(err, context.Canceled) {
			err = nil // that is how it was stopped
		}
		return total, errors.Join(fmt.Errorf("%s: stopped before the epoch was finished; the next run goes on at the last one that was saved", a.File.Name), assembly.Redacted(a, err))
	}
	if err != nil {
		return total, fmt.Errorf("%s: %w", a.File.Name, assembly.Redacted(a, err))
	}
	logDone(a, total, time.Since(started))
	return total, nil
}

// endWithin ends the process with an error after d, unless it has ended by then: a library or
// a disk may be stuck. undo cancels that.
func (s *cli) endWithin(d time.Duration, err error) (undo func() bool) {
	return time.AfterFunc(d, func() { os.Exit(s.status(err)) }).Stop
}

// announce logs what runs, and serves its status at a socket in the state folder.
func announce(a *assembly.Pipeline, server *status.Server, stateID string, epoch int64) {
	var sources, sinks []string
	for _, n := range a.Config.Sources {
		sources = append(sources, describe(n.Name, a.File.Sources))
	}
	for _, n := range a.Config.Sinks {
		sinks = append(sinks, describe(n.Name, a.File.Sinks))
	}
	a.Config.Log.Info("starting", "version", thisBuild().Version, "pipeline", a.File.Name, "file", a.Path,
		"sources", strings.Join(sources, ", "), "sinks", strings.Join(sinks, ", "), "state", a.Config.StateDir, "state_id", stateID, "epoch", epoch)
	l, err := status.ListenSocket(a.Config.StateDir)
	if err != nil {
		slog.Warn("starlift status can't ask this pipeline at a socket in its state folder", "pipeline", a.File.Name, "error", err)
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

// logDone logs how far the pipeline is, and what this run has read.
func logDone(a *assembly.Pipeline, total telemetry.Progress, took time.Duration) {
	attrs := []any{"pipeline", a.File.Name}
	epoch, err := lastEpoch(a, total)
	if err != nil {
		slog.Warn("the last epoch is not known", "pipeline", a.File.Name, "error", assembly.Redacted(a, err))
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

// lastEpoch returns the last epoch that was committed: by this run, or, if it found nothing to
// read, by an earlier one. 0 = none was.
func lastEpoch(a *assembly.Pipeline, total telemetry.Progress) (epoch int64, err error) {
	if total.Epoch > 0 {
		return total.Epoch, nil
	}
	store, err := state.Inspect(a.Config.StateDir, state.Options{Pipeline: a.File.Name})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Committed()
}

// limitMemory sets a memory limit that grows with the state, unless GOMEMLIMIT in the
// environment sets one. The caller lifts it.
func limitMemory(a *assembly.Pipeline) (lift func()) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	keyed := int64(0)
	if len(a.Config.Stateful) > 0 {
		keyed = statefulBytes
	}
	debug.SetMemoryLimit(heapBytesMin + keyed)
	a.Recorder.OnEpoch(func(p telemetry.Progress) {
		debug.SetMemoryLimit(keyed + referenceMemory(a) + max(heapBytesMin, workBytes+p.StateMemory))
	})
	return func() { debug.SetMemoryLimit(math.MaxInt64) }
}

// referenceMemory returns the bytes that references take: the versions in use, and as much for
// new versions, which are loaded beside them.
func referenceMemory(a *assembly.Pipeline) (n int64) {
	for _, ref := range a.Recorder.References() {
		n += 2 * ref.Bytes
	}
	return n
}

// progressScreen returns where the bar of a run is drawn: on a terminal, if the run is bounded;
// nil = nowhere.
func (s *cli) progressScreen(a *assembly.Pipeline) status.Screen {
	if terminal.Is(s.err) && a.Config.Bounded {
		return s.screen()
	}
	return nil
}
