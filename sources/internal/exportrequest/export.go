package exportrequest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// State is how far DynamoDB is with an export.
type State string

// The states of exports, in the service's words.
const (
	InProgress State = "IN_PROGRESS"
	Completed  State = "COMPLETED"
	Failed     State = "FAILED"
)

// Export is what DynamoDB says of an export.
type Export struct {
	ARN   string
	State State
	// Time is that of which a full export is; From and To are the window of an incremental one.
	Time, From, To time.Time
	Began, Ended   time.Time
	Items, Bytes   int64 // once it is completed; Bytes is what is billed
	// Manifest is the key of its manifest-summary.json in the bucket; empty = not known yet.
	Manifest string
	// FailureCode and FailureMessage say why it failed.
	FailureCode, FailureMessage string
}

func exportOf(d *types.ExportDescription) Export {
	e := Export{ARN: aws.ToString(d.ExportArn), State: State(d.ExportStatus), Time: aws.ToTime(d.ExportTime), Began: aws.ToTime(d.StartTime), Ended: aws.ToTime(d.EndTime),
		Items: aws.ToInt64(d.ItemCount), Bytes: aws.ToInt64(d.BilledSizeBytes), Manifest: aws.ToString(d.ExportManifest),
		FailureCode: aws.ToString(d.FailureCode), FailureMessage: aws.ToString(d.FailureMessage)}
	if w := d.IncrementalExportSpecification; w != nil {
		e.From, e.To = aws.ToTime(w.ExportFromTime), aws.ToTime(w.ExportToTime)
	}
	return e
}

// ID returns the export's id, which its folder on S3 has for a name.
func (e *Export) ID() string { return IDOf(e.ARN) }

// IDOf returns the id in an export's ARN.
func IDOf(arn string) string {
	_, id, _ := strings.Cut(arn, "/export/")
	return id
}

// beganOf returns when an export was begun, by its ARN.
func beganOf(arn string) (time.Time, bool) {
	digits, _, ok := strings.Cut(IDOf(arn), "-")
	ms, err := strconv.ParseInt(digits, 10, 64)
	return time.UnixMilli(ms), ok && err == nil && ms > 0
}

// FailedError says that DynamoDB could not make an export.
type FailedError struct{ Export Export }

// Error says why, in the service's words, and what to do.
func (e *FailedError) Error() string {
	return fmt.Sprintf("export %s has failed: %s: %s: mend that, and ask for another one: starting again does so", e.Export.ARN, e.Export.FailureCode, e.Export.FailureMessage)
}

// ErrGone says that the service does not know an export: it keeps them for 90 days, or the table of
// that name is another one.
var ErrGone = errors.New("DynamoDB does not know the export")

// Describe asks how far an export is.
func (c *Client) Describe(ctx context.Context, arn string) (Export, error) {
	d, err := c.describe(ctx, arn)
	if err != nil {
		return Export{}, err
	}
	return exportOf(d), nil
}

func (c *Client) describe(ctx context.Context, arn string) (*types.ExportDescription, error) {
	var out *dynamodb.DescribeExportOutput
	err := c.call(ctx, func(ctx context.Context) (err error) {
		out, err = c.api.DescribeExport(ctx, &dynamodb.DescribeExportInput{ExportArn: &arn})
		return err
	})
	var gone *types.ExportNotFoundException
	if errors.As(err, &gone) {
		return nil, fmt.Errorf("export %s: %w: it keeps them for 90 days, and those of a table that is deleted not at all", arn, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", arn, err)
	}
	if out.ExportDescription == nil {
		return nil, fmt.Errorf("export %s: DescribeExport tells nothing of it", arn)
	}
	return out.ExportDescription, nil
}

// The pauses between two looks at an export: exports take minutes to hours.
const (
	pollMin = time.Second
	pollMax = time.Minute
)

// Wait waits until DynamoDB has made an export, and returns it then: one that failed as a
// *FailedError. tell is called with what each look shows.
func (c *Client) Wait(ctx context.Context, arn string, tell func(Export)) (Export, error) {
	for pause := pollMin; ; pause = min(pause*3/2, pollMax) {
		e, err := c.Describe(ctx, arn)
		if err != nil {
			return Export{}, err
		}
		tell(e)
		switch e.State {
		case Completed:
			return e, nil
		case Failed:
			return e, &FailedError{e}
		}
		if err := c.wait(ctx, pause); err != nil {
			return Export{}, err
		}
	}
}
