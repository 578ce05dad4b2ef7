package dynamodbtest

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/exportlayout"
)

// ExportOptions are how exports are written to S3.
type ExportOptions struct {
	// Endpoint is the URL of the S3 that has the buckets; empty = exports fail.
	Endpoint string
	// Delay is how long an export takes by the fake's clock; 0 = no longer than it takes to write it,
	// less than 0 = until Server.FinishExports.
	Delay time.Duration
	// Files is how many data files an export has, each of a range of hashes; 0 = 8.
	Files int
	// Exact cuts exports at their times. Otherwise their edges are blurred by up to a minute: a change of
	// that minute may or may not be in one. How far its clock is off is an item's own, by Options.Seed, and
	// the same in all exports, so that those that meet have no hole.
	Exact bool
	// Recent allows for times up to now. Otherwise those behind the latest restorable time are refused,
	// as the API reference has it: outside of the point in time recovery window.
	Recent bool
}

// The bounds of exports (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
// and the API reference).
const (
	minWindow       = 15 * time.Minute
	maxWindow       = 24 * time.Hour
	maxExports      = 300 // at once
	exportsListed   = 25  // a page
	exportRetention = 90 * 24 * time.Hour
	tokenLife       = 8 * time.Hour // once its export is finished
	edgeBlur        = time.Minute
)

// States and kinds of exports.
const (
	inProgress  = "IN_PROGRESS"
	completed   = "COMPLETED"
	failed      = "FAILED"
	fullExport  = "FULL_EXPORT"
	incremental = "INCREMENTAL_EXPORT"
	newImages   = "NEW_IMAGE"
	bothImages  = "NEW_AND_OLD_IMAGES"
)

// exportInput is that of ExportTableToPointInTime.
type exportInput struct {
	TableArn, ClientToken             string
	ExportFormat, ExportType          string
	ExportTime                        *float64
	S3Bucket, S3BucketOwner, S3Prefix string
	S3SseAlgorithm, S3SseKmsKeyId     string
	IncrementalExportSpecification    *exportWindow   `json:",omitempty"`
	FilterSpecification               json.RawMessage `json:",omitempty"`
}

// exportWindow is that of an incremental export.
type exportWindow struct {
	ExportFromTime, ExportToTime *float64
	ExportViewType               string
}

// export is one export of a table. The server's lock guards it.
type export struct {
	table    *tableState
	in       exportInput // as it was asked for
	id, arn  string
	started  time.Time
	from, to time.Time // from is zero for a full one
	status   string
	read     time.Time // when the table's changes were; zero = not yet
	ended    time.Time
	items    int64
	billed   int64

	failureCode, failure string

	due  chan struct{} // closed when it is to be finished
	told bool          // due is closed
	done chan struct{} // closed when it is finished
}

func (e *export) incremental() bool { return e.in.ExportType == incremental }

// root is the folder, in its bucket, of what DynamoDB writes.
func (e *export) root() string { return path.Join(e.in.S3Prefix, exportlayout.Root) }

// manifest is the key of the manifest that readers start with.
func (e *export) manifest() string { return path.Join(e.root(), e.id, "manifest-summary.json") }

func (s *Server) exportOperations() map[string]awsfake.Operation {
	return map[string]awsfake.Operation{
		"ExportTableToPointInTime": operation(s, func(in *exportInput) (string, string) { return in.TableArn, "" }, s.onExport),
		"DescribeExport":           operation(s, func(in *describeExportInput) (string, string) { return in.ExportArn, "" }, s.onDescribeExport),
		"ListExports":              operation(s, func(in *listExportsInput) (string, string) { return in.TableArn, "" }, s.onListExports),
	}
}

func (s *Server) onExport(c *awsfake.Call, in *exportInput) (any, error) {
	in.ExportType, in.ExportFormat = cmp.Or(in.ExportType, fullExport), cmp.Or(in.ExportFormat, "DYNAMODB_JSON")
	in.S3SseAlgorithm = cmp.Or(in.S3SseAlgorithm, "AES256")
	if err := in.check(); err != nil {
		return nil, err
	}
	t := s.lookup(c.Region, in.TableArn)
	if t == nil || !strings.HasPrefix(in.TableArn, "arn:") {
		return nil, awsfake.Errorf("TableNotFoundException", "Table not found: %s", in.TableArn)
	}
	now := s.now()
	if before, err := s.sameExport(t, in, now); before != nil || err != nil {
		return describeExport(before), err
	}
	if t.recovery.since.IsZero() {
		return nil, awsfake.Errorf("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '%s'", t.name)
	}
	running := 0
	for _, e := range s.senders.exports {
		if e.status == inProgress {
			running++
		}
	}
	if running >= maxExports {
		return nil, awsfake.Errorf("LimitExceededException", "Too many exports at once: at most %d may be in progress", maxExports)
	}
	e := &export{table: t, in: *in, started: now, status: inProgress, due: make(chan struct{}), done: make(chan struct{})}
	if err := s.setTimes(e, now); err != nil {
		return nil, err
	}
	sum := md5.Sum(fmt.Appendf(nil, "export %d %d", s.o.Seed, len(s.senders.exports)))
	e.id = exportlayout.ID(now, uint32(sum[0])<<24|uint32(sum[1])<<16|uint32(sum[2])<<8|uint32(sum[3]))
	e.arn = t.arn + "/export/" + e.id
	if err := s.startExport(e); err != nil {
		return nil, err
	}
	return describeExport(e), nil
}

var bucketNames = regexp.MustCompile(`^[a-z0-9A-Z]+[.\-\w]*[a-z0-9A-Z]+$`)

// check refuses what is wrong whatever the table is.
func (in *exportInput) check() error {
	window := in.IncrementalExportSpecification
	switch {
	case !bucketNames.MatchString(in.S3Bucket):
		return invalid("1 validation error detected: Value '%s' at 's3Bucket' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", in.S3Bucket, bucketNames)
	case in.ExportType != fullExport && in.ExportType != incremental:
		return invalid("1 validation error detected: Value '%s' at 'exportType' failed to satisfy constraint: Member must satisfy enum value set: [FULL_EXPORT, INCREMENTAL_EXPORT]", in.ExportType)
	case in.ExportType == fullExport && window != nil:
		return invalid("IncrementalExportSpecification is for exports of type INCREMENTAL_EXPORT only")
	case in.ExportType == incremental && (window == nil || window.ExportFromTime == nil):
		return invalid("IncrementalExportSpecification with ExportFromTime is required for exports of type INCREMENTAL_EXPORT")
	case in.ExportType == incremental && in.ExportTime != nil:
		return invalid("ExportTime is for exports of type FULL_EXPORT only")
	case window != nil && window.ExportViewType != "" && window.ExportViewType != newImages && window.ExportViewType != bothImages:
		return invalid("1 validation error detected: Value '%s' at 'incrementalExportSpecification.exportViewType' failed to satisfy constraint: Member must satisfy enum value set: [NEW_IMAGE, NEW_AND_OLD_IMAGES]", window.ExportViewType)
	case in.ExportFormat != "DYNAMODB_JSON" || len(in.FilterSpecification) > 0:
		return invalid("this fake writes whole exports in DYNAMODB_JSON only")
	case in.S3SseAlgorithm != "AES256" && in.S3SseAlgorithm != "KMS":
		return invalid("1 validation error detected: Value '%s' at 's3SseAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [AES256, KMS]", in.S3SseAlgorithm)
	}
	return nil
}

// sameExport returns the export that was asked for with the same client token; nil = there is none.
// A token lives for a while after its export.
func (s *Server) sameExport(t *tableState, in *exportInput, now time.Time) (*export, error) {
	if in.ClientToken == "" {
		return nil, nil
	}
	for _, e := range slices.Backward(s.senders.exports) {
		if e.in.ClientToken != in.ClientToken || e.table.arn != t.arn || e.status != inProgress && now.Sub(e.ended) > tokenLife {
			continue
		}
		if string(mustMarshal(e.in)) != string(mustMarshal(in)) {
			return nil, awsfake.Errorf("ExportConflictException", "Duplicate request detected with a different request body")
		}
		return e, nil
	}
	return nil, nil
}

// setTimes sets of which time an export is. Times of requests count in seconds.
func (s *Server) setTimes(e *export, now time.Time) error {
	at := func(seconds *float64, other time.Time) time.Time {
		if seconds == nil {
			return other
		}
		return time.Unix(int64(*seconds), 0)
	}
	earliest, latest := e.table.recovery.earliest(now), e.table.recovery.latest(now)
	if s.o.Exports.Recent {
		latest = now
	}
	if w := e.in.IncrementalExportSpecification; w != nil {
		e.from, e.to = at(w.ExportFromTime, time.Time{}), at(w.ExportToTime, latest.Truncate(time.Second))
		switch window := e.to.Sub(e.from); {
		case window <= 0:
			return invalid("Incremental export period from time should not be greater or equal to incremental export period to time")
		case window < minWindow:
			return invalid("Incremental export period should be at least 15 minutes")
		case window > maxWindow:
			return invalid("Incremental export period should be at most 24 hours")
		}
	} else {
		// What is asked for without a time is of the time of the request.
		e.to = at(e.in.ExportTime, now.Truncate(time.Millisecond))
	}
	first := e.to
	if e.incremental() {
		first = e.from
	}
	given := e.in.ExportTime != nil || e.incremental()
	// Times of requests are cut to seconds, and what the table's recovery says to milliseconds.
	if given && (first.Before(earliest.Truncate(time.Second)) || e.to.After(latest)) {
		return awsfake.Errorf("InvalidExportTimeException", "The specified ExportTime is outside of the point in time recovery window: %s to %s", exportlayout.Time(earliest), exportlayout.Time(latest))
	}
	return nil
}

// describeExport is what the service says of an export.
func describeExport(e *export) any {
	if e == nil {
		return nil
	}
	d := map[string]any{
		"ExportArn": e.arn, "ExportStatus": e.status, "ExportType": e.in.ExportType, "ExportFormat": e.in.ExportFormat,
		"StartTime": seconds(e.started), "TableArn": e.table.arn, "TableId": e.table.id,
		"S3Bucket": e.in.S3Bucket, "S3SseAlgorithm": e.in.S3SseAlgorithm,
	}
	for name, text := range map[string]string{
		"ClientToken": e.in.ClientToken, "S3Prefix": e.in.S3Prefix, "S3BucketOwner": e.in.S3BucketOwner, "S3SseKmsKeyId": e.in.S3SseKmsKeyId,
		"FailureCode": e.failureCode, "FailureMessage": e.failure,
	} {
		if text != "" {
			d[name] = text
		}
	}
	if e.incremental() {
		d["IncrementalExportSpecification"] = map[string]any{
			"ExportFromTime": seconds(e.from), "ExportToTime": seconds(e.to), "ExportViewType": e.view(),
		}
	} else {
		d["ExportTime"] = seconds(e.to)
	}
	if e.status != inProgress {
		d["EndTime"] = seconds(e.ended)
	}
	if e.status == completed {
		d["ExportManifest"], d["ItemCount"], d["BilledSizeBytes"] = e.manifest(), e.items, e.billed
	}
	return map[string]any{"ExportDescription": d}
}

// view is which images an incremental export has.
func (e *export) view() string {
	return cmp.Or(e.in.IncrementalExportSpecification.ExportViewType, bothImages)
}

type describeExportInput struct{ ExportArn string }

func (s *Server) onDescribeExport(_ *awsfake.Call, in *describeExportInput) (any, error) {
	for _, e := range s.senders.exports {
		if e.arn == in.ExportArn && s.now().Sub(e.started) <= exportRetention {
			return describeExport(e), nil
		}
	}
	return nil, awsfake.Errorf("ExportNotFoundException", "Export not found: %s", in.ExportArn)
}

type listExportsInput struct {
	TableArn, NextToken string
	MaxResults          *int
}

// onListExports lists those of the last 90 days, in the reverse order of their ARNs.
func (s *Server) onListExports(c *awsfake.Call, in *listExportsInput) (any, error) {
	most := exportsListed
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if most < 1 || most > exportsListed {
		return nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", most, exportsListed)
	}
	var found []*export
	for _, e := range s.senders.exports {
		if e.table.region == c.Region && (in.TableArn == "" || e.table.arn == in.TableArn) && s.now().Sub(e.started) <= exportRetention && (in.NextToken == "" || e.arn < in.NextToken) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *export) int { return strings.Compare(b.arn, a.arn) })
	out := map[string]any{}
	if len(found) > most {
		found = found[:most]
		out["NextToken"] = found[most-1].arn
	}
	list := []map[string]string{}
	for _, e := range found {
		list = append(list, map[string]string{"ExportArn": e.arn, "ExportStatus": e.status, "ExportType": e.in.ExportType})
	}
	out["ExportSummaries"] = list
	return out, nil
}

// startDueExports lets exports be finished whose time has come. The lock is held.
func (s *Server) startDueExports(now time.Time) {
	if s.o.Exports.Delay < 0 {
		return
	}
	for _, e := range s.senders.exports {
		if !e.told && now.Sub(e.started) >= s.o.Exports.Delay {
			e.finish()
		}
	}
}

// finish lets an export be written. The lock is held.
func (e *export) finish() {
	if !e.told {
		e.told = true
		close(e.due)
	}
}

// FinishExports lets all exports in progress be written, whatever their delay, and returns when they are
// finished. Those that failed are its error.
func (s *Server) FinishExports() error {
	unlock := s.lock()
	var running []*export
	for _, e := range s.senders.exports {
		if e.status == inProgress {
			e.finish()
			running = append(running, e)
		}
	}
	unlock()
	for _, e := range running {
		<-e.done
	}
	defer s.lock()()
	var errs []error
	for _, e := range running {
		if e.status != completed {
			errs = append(errs, fmt.Errorf("export %s: %s: %s", e.arn, e.failureCode, e.failure))
		}
	}
	return errors.Join(errs...)
}

// AwaitExports returns when the exports whose time has come are finished, or failed. A test whose clock goes on by itself
// calls it, so that the clock does not run away from a slow machine.
func (s *Server) AwaitExports(ctx context.Context) error {
	unlock := s.lock()
	var due []*export
	for _, e := range s.senders.exports {
		if e.told {
			due = append(due, e)
		}
	}
	unlock()
	for _, e := range due {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// FailExports lets all exports in progress fail that are not being written, with a code and a message.
func (s *Server) FailExports(code, message string) {
	defer s.lock()()
	for _, e := range s.senders.exports {
		if e.status == inProgress && !e.told {
			e.failureCode, e.failure = code, message
			e.finish()
		}
	}
}
