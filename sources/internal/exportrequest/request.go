package exportrequest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// NewID returns an ID for a request.
func NewID() string { return rand.Text() }

// How long the window of an incremental export is.
const (
	WindowMin = 15 * time.Minute
	WindowMax = 24 * time.Hour
)

// Request is an export that is wanted. It is saved, as JSON, before it is asked for the first time.
type Request struct {
	// ID tells a full export from others of the table, to the same place, that other people want: any
	// text that is new, and the same for as long as the export is wanted (NewID).
	ID string `json:"id,omitempty"`
	// Asked is when it was first wanted, by this machine's clock.
	Asked time.Time `json:"asked"`
	// At is the time, in whole seconds, of which a full export is to be; zero = that at which it is asked for,
	// to the millisecond.
	At time.Time `json:"at,omitzero"`
	// From and To are the window of an incremental export, in whole seconds: From is in it, To is
	// not. Zero = a full export.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Attempt is raised when the export has failed and another one is wanted in its place.
	Attempt int `json:"attempt,omitempty"`
}

// Incremental reports whether the request is for an incremental export.
func (r *Request) Incremental() bool { return !r.From.IsZero() }

// String says for people what is asked for.
func (r *Request) String() string {
	if r.Incremental() {
		return fmt.Sprintf("an incremental export of %s to %s", text(r.From), text(r.To))
	}
	if !r.At.IsZero() {
		return "a full export of " + text(r.At)
	}
	return "a full export"
}

// text writes a time for people.
func text(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// token returns the client token of a request: the same as long as the same is asked for.
func (r *Request) token(table string, at Destination) string {
	h := sha256.New()
	for _, part := range []string{table, at.Bucket, at.Prefix, r.ID, strconv.FormatInt(r.At.Unix(), 10), strconv.FormatInt(r.From.Unix(), 10), strconv.FormatInt(r.To.Unix(), 10), strconv.Itoa(r.Attempt)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	if !r.Incremental() {
		fmt.Fprintf(h, "full")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Ask returns the export of a request: the one that the service has already, or a new one. It is to
// be called with the same request until the ARN that it returns is saved. The export may have
// failed right away.
func (c *Client) Ask(ctx context.Context, t Table, at Destination, r Request) (Export, error) {
	found, ok, err := c.find(ctx, t, at, &r)
	if err != nil || ok {
		return found, err
	}
	token := r.token(t.ARN, at)
	in := &dynamodb.ExportTableToPointInTimeInput{TableArn: &t.ARN, ClientToken: &token, S3Bucket: &at.Bucket,
		ExportFormat: types.ExportFormatDynamodbJson, ExportType: types.ExportTypeFullExport}
	if at.Prefix != "" {
		in.S3Prefix = &at.Prefix
	}
	if at.BucketOwner != "" {
		in.S3BucketOwner = &at.BucketOwner
	}
	if at.Encryption != "" {
		in.S3SseAlgorithm = types.S3SseAlgorithm(at.Encryption)
	}
	if at.KMSKey != "" {
		in.S3SseKmsKeyId = &at.KMSKey
	}
	if !r.At.IsZero() {
		in.ExportTime = &r.At
	}
	if r.Incremental() {
		in.ExportType = types.ExportTypeIncrementalExport
		in.IncrementalExportSpecification = &types.IncrementalExportSpecification{ExportFromTime: aws.Time(r.From), ExportToTime: aws.Time(r.To),
			ExportViewType: types.ExportViewTypeNewAndOldImages}
	}
	var out *dynamodb.ExportTableToPointInTimeOutput
	err = c.call(ctx, func(ctx context.Context) (err error) {
		out, err = c.api.ExportTableToPointInTime(ctx, in)
		return err
	})
	if err != nil {
		return Export{}, fmt.Errorf("%s to %s: %w", &r, at, err)
	}
	if out.ExportDescription == nil || aws.ToString(out.ExportDescription.ExportArn) == "" {
		return Export{}, fmt.Errorf("%s of table %s: the service does not tell its ARN", &r, c.table)
	}
	return exportOf(out.ExportDescription), nil
}

// find looks for the export of a request among those of the table that have not failed.
func (c *Client) find(ctx context.Context, t Table, at Destination, r *Request) (Export, bool, error) {
	token := r.token(t.ARN, at)
	kind := types.ExportTypeFullExport
	if r.Incremental() {
		kind = types.ExportTypeIncrementalExport
	}
	in := &dynamodb.ListExportsInput{TableArn: &t.ARN, MaxResults: aws.Int32(25)} // its maximum
	for {
		var page *dynamodb.ListExportsOutput
		err := c.call(ctx, func(ctx context.Context) (err error) {
			page, err = c.api.ListExports(ctx, in)
			return err
		})
		if err != nil {
			return Export{}, false, err
		}
		older := false
		for _, s := range page.ExportSummaries {
			arn := aws.ToString(s.ExportArn)
			if older = !r.after(arn); older {
				continue
			}
			// Before there were incremental exports no type was told.
			if s.ExportStatus == types.ExportStatusFailed || s.ExportType != "" && s.ExportType != kind {
				continue
			}
			d, err := c.describe(ctx, arn)
			if err != nil {
				return Export{}, false, err
			}
			if r.isOf(d, at, token) {
				return exportOf(d), true, nil
			}
		}
		if older { // they come in the reverse order of their ARNs, so of their begin
			return Export{}, false, nil
		}
		if aws.ToString(page.NextToken) == "" {
			return Export{}, false, nil
		}
		in.NextToken = page.NextToken
	}
}

// clockSkew is how far apart this machine's clock and the service's may be, at most: it takes
// no requests of a machine whose clock is further off.
const clockSkew = 15 * time.Minute

// after reports whether an export was begun when the request may have been made, by its ARN: a full one
// once it was wanted, and an incremental one once its window was over.
func (r *Request) after(arn string) bool {
	least := r.Asked
	if r.Incremental() {
		least = r.To
	}
	at, ok := beganOf(arn)
	return !ok || !at.Before(least.Add(-clockSkew))
}

// isOf reports whether an export is what the request asks for.
func (r *Request) isOf(d *types.ExportDescription, at Destination, token string) bool {
	if d.ExportStatus == types.ExportStatusFailed || d.FilterSpecification != nil {
		return false
	}
	if aws.ToString(d.ClientToken) == token {
		return true
	}
	if aws.ToString(d.S3Bucket) != at.Bucket || strings.Trim(aws.ToString(d.S3Prefix), "/") != at.Prefix || d.ExportFormat != "" && d.ExportFormat != types.ExportFormatDynamodbJson {
		return false
	}
	if w := d.IncrementalExportSpecification; w != nil && r.Incremental() {
		return aws.ToTime(w.ExportFromTime).Equal(r.From) && aws.ToTime(w.ExportToTime).Equal(r.To) && w.ExportViewType != types.ExportViewTypeNewImage
	}
	return !r.Incremental() && !r.At.IsZero() && aws.ToTime(d.ExportTime).Equal(r.At)
}
