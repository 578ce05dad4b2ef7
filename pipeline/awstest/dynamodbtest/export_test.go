package dynamodbtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestFullExport: a full export is the table as it was, with what the service writes around it.
func TestFullExport(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{Exports: ExportOptions{Exact: true, Delay: -1}})
	writes(t, s.Server, "shop", s.chance, 300, 100)
	then := s.Now()
	s.Advance(time.Hour)
	writes(t, s.Server, "shop", s.chance, 300, 100)
	s.Advance(10 * time.Minute)

	then = then.Add(time.Second).Truncate(time.Second)
	d, err := s.ask(dynamodb.ExportTableToPointInTimeInput{ExportTime: &then, S3Prefix: aws.String("daily/shop"), ClientToken: aws.String("one")})
	ok(t, err)
	if d.ExportStatus != types.ExportStatusInProgress || d.ExportManifest != nil || !d.ExportTime.Equal(then) {
		t.Errorf("%+v", d)
	}
	s.Advance(5 * time.Minute)
	ok(t, s.FinishExports())
	d = s.describe(d)
	id := (*d.ExportArn)[strings.LastIndex(*d.ExportArn, "/")+1:]
	root := "daily/shop/AWSDynamoDB/" + id + "/"
	if d.ExportStatus != types.ExportStatusCompleted || *d.ExportManifest != root+"manifest-summary.json" || d.EndTime.Sub(*d.StartTime) != 5*time.Minute {
		t.Errorf("%+v", d)
	}
	summary, lines := s.read(d)
	got := map[string]Item{}
	for _, l := range lines {
		got[l.Item["id"].Text] = l.Item
	}
	sameItems(t, got, s.asOf(then))
	for key, want := range map[string]any{
		"version": "2020-06-30", "exportArn": *d.ExportArn, "tableArn": *s.arn, "tableId": *d.TableId, "exportTime": then.UTC().Format("2006-01-02T15:04:05.000Z"),
		"s3Bucket": s.name, "s3Prefix": "daily/shop", "s3SseAlgorithm": "AES256", "s3SseKmsKeyId": nil, "outputFormat": "DYNAMODB_JSON", "manifestFilesS3Key": root + "manifest-files.json",
	} {
		if value, has := summary[key]; !has || value != want {
			t.Errorf("manifest: %s is %v, want %v", key, value, want)
		}
	}
	if _, has := summary["exportFromTime"]; has {
		t.Error("a full export has a window")
	}
	// Nothing but what is said, and empty files among it where there are no items.
	if keys := s.keys(""); len(keys) != 8+4+1 || !slices.Contains(keys, root+"_started") {
		t.Errorf("%q", keys)
	}
	empty := s.export(dynamodb.ExportTableToPointInTimeInput{ExportTime: aws.Time(at("2026-11-30T12:00:00Z")())})
	if _, lines := s.read(empty); len(lines) != 0 {
		t.Errorf("%d items of a table before its first", len(lines))
	}
}

// TestIncrementalExport: a line is what became of an item in a window.
func TestIncrementalExport(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{Exports: ExportOptions{Exact: true}})
	item := func(id string, n int) Item { return Item{"id": S(id), "n": N(fmt.Sprint(n))} }
	minute := func(m int) time.Time { return at("2026-11-30T12:00:00Z")().Add(time.Duration(m) * time.Minute) }
	now := func(m int) { s.Advance(minute(m).Sub(s.Now())) }
	now(1)
	ok(t, s.Put("shop", item("updated", 1), item("deleted", 1), item("kept", 1), item("replaced", 1)))
	now(10) // the window's first moment is of it
	ok(t, s.Put("shop", item("updated", 2), item("inserted", 2), item("passing", 2)))
	now(20)
	ok(t, s.Put("shop", item("updated", 3)))
	ok(t, s.Delete("shop", Item{"id": S("deleted")}, Item{"id": S("passing")}, Item{"id": S("replaced")}))
	now(21)
	ok(t, s.Put("shop", item("replaced", 1)))
	now(30) // its end is not
	ok(t, s.Put("shop", item("updated", 4), item("late", 4)))
	now(40)

	read := func(view types.ExportViewType) map[string]string {
		d := s.export(window(minute(10), minute(30), view))
		summary, lines := s.read(d)
		if summary["version"] != "2023-08-01" || summary["exportType"] != "INCREMENTAL_EXPORT" || summary["outputView"] != string(view) || summary["exportTime"] != nil ||
			summary["exportFromTime"] != "2026-11-30T12:10:00.000Z" || summary["exportToTime"] != "2026-11-30T12:30:00.000Z" {
			t.Errorf("%v", summary)
		}
		got := map[string]string{}
		for _, l := range lines {
			got[l.Keys["id"].Text] = fmt.Sprint(time.UnixMicro(l.micros(t)).Sub(minute(0)), " ", l.OldImage["n"].Text, ">", l.NewImage["n"].Text)
		}
		return got
	}
	both := map[string]string{"updated": "20m0s 1>3", "inserted": "10m0s >2", "deleted": "20m0s 1>", "replaced": "21m0s 1>1"}
	alone := map[string]string{"updated": "20m0s >3", "inserted": "10m0s >2", "deleted": "20m0s >", "replaced": "21m0s >1"}
	if got := read(types.ExportViewTypeNewAndOldImages); fmt.Sprint(got) != fmt.Sprint(both) {
		t.Errorf("%v, want %v", got, both)
	}
	if got := read(types.ExportViewTypeNewImage); fmt.Sprint(got) != fmt.Sprint(alone) {
		t.Errorf("%v, want %v", got, alone)
	}
	for _, key := range s.keys("AWSDynamoDB/data/") {
		if !strings.HasSuffix(key, ".json.gz") {
			t.Errorf("%s among data files", key)
		}
	}
	if n := len(s.keys("AWSDynamoDB/data/")); n != 16 {
		t.Errorf("%d data files", n)
	}
}

// TestExportEdges: the edges of exports are blurred by up to a minute, and where two exports meet there is
// no hole: a full one and those that follow it are the table in the end.
func TestExportEdges(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{})
	busy := func() {
		for range 100 {
			writes(t, s.Server, "shop", s.chance, 5, 50)
			s.Advance(time.Second)
		}
	}
	busy()
	full := s.Now().Add(-50 * time.Second) // blurred to both sides
	busy()
	s.Advance(10 * time.Minute)
	d := s.export(dynamodb.ExportTableToPointInTimeInput{ExportTime: &full})
	_, lines := s.read(d)
	got, exact := map[string]Item{}, s.asOf(*d.ExportTime)
	early, late := s.asOf(d.ExportTime.Add(-time.Minute)), s.asOf(d.ExportTime.Add(time.Minute))
	for _, l := range lines {
		got[l.Item["id"].Text] = l.Item
	}
	blurred := 0
	for i := range 50 {
		id := fmt.Sprint("item", i)
		if !got[id].Equal(exact[id]) {
			blurred++
		}
		seen := false // it is what the item was at some time within the edge
		for at := d.ExportTime.Add(-time.Minute); !at.After(d.ExportTime.Add(time.Minute)) && !seen; at = at.Add(500 * time.Millisecond) {
			seen = got[id].Equal(s.asOf(at)[id])
		}
		if !seen && !got[id].Equal(early[id]) && !got[id].Equal(late[id]) {
			t.Errorf("item %s: %v was none of its images then", id, got[id])
		}
	}
	if blurred == 0 {
		t.Error("the edge is sharp")
	}
	from := *d.ExportTime
	for range 3 {
		s.Advance(14 * time.Minute)
		busy()
		s.Advance(6 * time.Minute)
		to := from.Add(15 * time.Minute)
		_, lines := s.read(s.export(window(from, to, types.ExportViewTypeNewAndOldImages)))
		for _, l := range lines {
			id := l.Keys["id"].Text
			if !got[id].Equal(l.OldImage) {
				t.Fatalf("item %s was %v, and then is %v after %v", id, got[id], l.NewImage, l.OldImage)
			}
			if got[id] = l.NewImage; l.NewImage == nil {
				delete(got, id)
			}
			if at := time.UnixMicro(l.micros(t)); at.Before(from.Add(-time.Minute)) || !at.Before(to.Add(time.Minute)) {
				t.Errorf("item %s: a write of %s from %s to %s", id, at, from, to)
			}
		}
		from = to
	}
	s.Advance(20 * time.Minute)
	_, lines = s.read(s.export(window(from, s.Now().Add(-6*time.Minute), "")))
	for _, l := range lines {
		if got[l.Keys["id"].Text] = l.NewImage; l.NewImage == nil {
			delete(got, l.Keys["id"].Text)
		}
	}
	items, err := s.Items("shop")
	ok(t, err)
	want := map[string]Item{}
	for _, item := range items {
		want[item["id"].Text] = item
	}
	sameItems(t, got, want)
}

// TestExportNow: what comes after an export of now was written is in the one that follows it, wherever
// the edges are.
func TestExportNow(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{Exports: ExportOptions{Recent: true}})
	writes(t, s.Server, "shop", s.chance, 100, 50)
	s.Advance(time.Second)
	// Without a time it would have milliseconds, at which no window begins.
	d := s.export(dynamodb.ExportTableToPointInTimeInput{ExportTime: aws.Time(s.Now())})
	_, lines := s.read(d)
	got := map[string]Item{}
	for _, l := range lines {
		got[l.Item["id"].Text] = l.Item
	}
	s.Advance(20 * time.Second)
	writes(t, s.Server, "shop", s.chance, 100, 50)
	s.Advance(30 * time.Minute)
	_, lines = s.read(s.export(window(*d.ExportTime, d.ExportTime.Add(20*time.Minute), "")))
	for _, l := range lines {
		if got[l.Keys["id"].Text] = l.NewImage; l.NewImage == nil {
			delete(got, l.Keys["id"].Text)
		}
	}
	sameItems(t, got, s.asOf(s.Now()))
}

// TestExportRequests: what the service refuses, and what it takes for the same request.
func TestExportRequests(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{Exports: ExportOptions{Delay: 10 * time.Minute}})
	s.Advance(time.Hour)
	now := s.Now()
	request := func(change func(*dynamodb.ExportTableToPointInTimeInput)) dynamodb.ExportTableToPointInTimeInput {
		in := window(now.Add(-50*time.Minute), now.Add(-10*time.Minute), "")
		change(&in)
		return in
	}
	of := func(from, to time.Duration) dynamodb.ExportTableToPointInTimeInput {
		return window(now.Add(from), now.Add(to), "")
	}
	for name, tt := range map[string]struct {
		in   dynamodb.ExportTableToPointInTimeInput
		want string
	}{
		"no bucket's name":   {request(func(in *dynamodb.ExportTableToPointInTimeInput) { in.S3Bucket = aws.String("a b") }), "ValidationException"},
		"full with a window": {request(func(in *dynamodb.ExportTableToPointInTimeInput) { in.ExportType = "FULL_EXPORT" }), "ValidationException"},
		"without a window":   {request(func(in *dynamodb.ExportTableToPointInTimeInput) { in.IncrementalExportSpecification = nil }), "ValidationException"},
		"Ion":                {request(func(in *dynamodb.ExportTableToPointInTimeInput) { in.ExportFormat = "ION" }), "ValidationException"},
		"no view": {request(func(in *dynamodb.ExportTableToPointInTimeInput) {
			in.IncrementalExportSpecification.ExportViewType = "KEYS"
		}), "ValidationException"},
		"a window that is empty": {of(-20*time.Minute, -20*time.Minute), "ValidationException"},
		"too short a window":     {of(-20*time.Minute, -6*time.Minute), "ValidationException"},
		"too long a window":      {of(-25*time.Hour, -6*time.Minute), "ValidationException"},
		"before recovery":        {of(-61*time.Minute, -40*time.Minute), "InvalidExportTimeException"},
		"an end too near":        {of(-40*time.Minute, -4*time.Minute), "InvalidExportTimeException"},
		"a time too near":        {dynamodb.ExportTableToPointInTimeInput{ExportTime: aws.Time(now.Add(-4 * time.Minute))}, "InvalidExportTimeException"},
		"a time before recovery": {dynamodb.ExportTableToPointInTimeInput{ExportTime: aws.Time(now.Add(-2 * time.Hour))}, "InvalidExportTimeException"},
	} {
		if _, err := s.ask(tt.in); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	arn := s.arn
	s.arn = aws.String(*arn + "s")
	if _, err := s.ask(of(-50*time.Minute, -10*time.Minute)); code(err) != "TableNotFoundException" {
		t.Error(err)
	}
	s.arn = arn
	// The same request is the same export; another one with its token is not.
	in := of(-50*time.Minute, -10*time.Minute)
	in.ClientToken = aws.String("token")
	first, err := s.ask(in)
	ok(t, err)
	again := func() *types.ExportDescription { t.Helper(); d, err := s.ask(in); ok(t, err); return d }
	if d := again(); *d.ExportArn != *first.ExportArn {
		t.Errorf("another export: %s, %s", *d.ExportArn, *first.ExportArn)
	}
	other := of(-50*time.Minute, -20*time.Minute)
	other.ClientToken = in.ClientToken
	if _, err := s.ask(other); code(err) != "ExportConflictException" {
		t.Error(err)
	}
	s.Advance(10 * time.Minute) // its delay is over
	ok(t, s.FinishExports())
	if d := s.describe(first); d.ExportStatus != types.ExportStatusCompleted {
		t.Errorf("%+v", d)
	}
	s.Advance(8 * time.Hour)
	if d := again(); *d.ExportArn != *first.ExportArn {
		t.Error("a token that does not live 8 hours")
	}
	s.Advance(time.Minute)
	if d := again(); *d.ExportArn == *first.ExportArn {
		t.Error("a token that lives longer than 8 hours")
	}
	_, err = s.db.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: aws.String("shop"), PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(false)}})
	ok(t, err)
	if _, err := s.ask(dynamodb.ExportTableToPointInTimeInput{}); code(err) != "PointInTimeRecoveryUnavailableException" {
		t.Error(err)
	}
	if _, err := s.db.DescribeExport(t.Context(), &dynamodb.DescribeExportInput{ExportArn: aws.String(*first.ExportArn + "0")}); code(err) != "ExportNotFoundException" {
		t.Error(err)
	}
}

// TestExportsFail: what ends badly says why; one at a time may not be more than 300; lists have pages.
func TestExportsFail(t *testing.T) {
	t.Parallel()
	s := newShop(t, Options{Exports: ExportOptions{Delay: -1}})
	missing, err := s.ask(dynamodb.ExportTableToPointInTimeInput{S3Bucket: aws.String("no-such-bucket")})
	ok(t, err)
	if err := s.FinishExports(); err == nil || !strings.Contains(err.Error(), "S3NoSuchBucket") {
		t.Error(err)
	}
	if d := s.describe(missing); d.ExportStatus != types.ExportStatusFailed || *d.FailureCode != "S3NoSuchBucket" || *d.FailureMessage == "" || d.EndTime == nil {
		t.Errorf("%+v", d)
	}
	wanted := []string{*missing.ExportArn}
	for range 300 {
		s.Advance(time.Millisecond)
		d, err := s.ask(dynamodb.ExportTableToPointInTimeInput{})
		ok(t, err)
		wanted = append(wanted, *d.ExportArn)
	}
	if _, err := s.ask(dynamodb.ExportTableToPointInTimeInput{}); code(err) != "LimitExceededException" {
		t.Error(err)
	}
	s.FailExports("AccessDenied", "not yours")
	if err := s.FinishExports(); err != nil && !strings.Contains(err.Error(), "not yours") {
		t.Error(err)
	}
	last := s.describe(&types.ExportDescription{ExportArn: &wanted[300]})
	if last.ExportStatus != types.ExportStatusFailed || *last.FailureCode != "AccessDenied" || *last.FailureMessage != "not yours" {
		t.Errorf("%+v", last)
	}
	var listed []string
	pages := dynamodb.NewListExportsPaginator(s.db, &dynamodb.ListExportsInput{TableArn: s.arn, MaxResults: aws.Int32(25)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		ok(t, err)
		for _, e := range page.ExportSummaries {
			listed = append(listed, *e.ExportArn)
		}
	}
	slices.Reverse(wanted)
	if !slices.Equal(listed, wanted) {
		t.Errorf("%d exports are listed, want %d in the reverse order of their ARNs", len(listed), len(wanted))
	}
}
