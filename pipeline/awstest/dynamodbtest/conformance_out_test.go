package dynamodbtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// poll asks until it is answered with true, for some seconds.
func (s *subject) poll(ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("it does not come")
		}
	}
}

// destination makes the table, with a stream of Kinesis to which it sends.
func (s *subject) destination() (*kinesisStream, error) {
	if err := s.make("", false); err != nil {
		return nil, err
	}
	k := newKinesisStream(s.t, s.kinesis, s.table, 2)
	_, err := s.EnableKinesisStreamingDestination(s.ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: &s.table, StreamArn: ptr(streamARN + s.table)})
	if err != nil {
		return nil, err
	}
	return k, s.poll(func() (bool, error) {
		out, err := s.DescribeKinesisStreamingDestination(s.ctx, &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: &s.table})
		return err == nil && len(out.KinesisDataStreamDestinations) == 1 && out.KinesisDataStreamDestinations[0].DestinationStatus == types.DestinationStatusActive, err
	})
}

func destinationActive(s *subject) error {
	_, err := s.destination()
	return err
}

func destinationOnce(s *subject) error {
	if _, err := s.destination(); err != nil {
		return err
	}
	_, err := s.EnableKinesisStreamingDestination(s.ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: &s.table, StreamArn: ptr(streamARN + s.table)})
	return refused(err, "ValidationException")
}

// sent writes an item three times, and returns the records of that.
func (s *subject) sent() (records []cdc, err error) {
	k, err := s.destination()
	if err != nil {
		return nil, err
	}
	for i := range 3 {
		if err := s.put(attributes{"id": text("1"), "n": digits(fmt.Sprint(i))}); err != nil {
			return nil, err
		}
	}
	return records, s.poll(func() (bool, error) {
		records = k.read()
		return len(records) >= 3, nil
	})
}

func destinationRecords(s *subject) error {
	records, err := s.sent()
	if err != nil {
		return err
	}
	for _, r := range records {
		at := time.UnixMicro(r.micros())
		if r.TableName != s.table || r.RecordFormat != "application/json" || time.Since(at).Abs() > time.Hour || !r.DynamoDB.Keys.Equal(Item{"id": S("1")}) {
			return fmt.Errorf("a record of table %q in format %q, of %s", r.TableName, r.RecordFormat, at)
		}
	}
	return nil
}

func destinationKeys(s *subject) error {
	records, err := s.sent()
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.partitionKey != records[0].partitionKey {
			return fmt.Errorf("partition keys %s and %s", records[0].partitionKey, r.partitionKey)
		}
	}
	return nil
}

// export asks for an export of the table to a bucket of its name.
func (s *subject) export() (*types.ExportDescription, error) {
	objects := s3.NewFromConfig(awstest.Config(s.t, s.objects), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := objects.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &s.table}); err != nil {
		return nil, err
	}
	described, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return nil, err
	}
	out, err := s.ExportTableToPointInTime(s.ctx, &dynamodb.ExportTableToPointInTimeInput{TableArn: described.Table.TableArn, S3Bucket: &s.table})
	if err != nil {
		return nil, err
	}
	return out.ExportDescription, nil
}

func exportUnrecoverable(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	_, err := s.export()
	return refused(err, "PointInTimeRecoveryUnavailableException")
}

func exportManifest(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	if _, err := s.UpdateContinuousBackups(s.ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName: &s.table, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: ptr(true)},
	}); err != nil {
		return err
	}
	d, err := s.export()
	if err != nil {
		return err
	}
	err = s.poll(func() (bool, error) {
		out, err := s.DescribeExport(s.ctx, &dynamodb.DescribeExportInput{ExportArn: d.ExportArn})
		if err == nil {
			d = out.ExportDescription
		}
		return err == nil && d.ExportStatus != types.ExportStatusInProgress, err
	})
	if err != nil {
		return err
	}
	if d.ExportStatus != types.ExportStatusCompleted || d.ExportManifest == nil || !strings.HasSuffix(*d.ExportManifest, "/manifest-summary.json") {
		return fmt.Errorf("%+v", d)
	}
	objects := s3.NewFromConfig(awstest.Config(s.t, s.objects), func(o *s3.Options) { o.UsePathStyle = true })
	out, err := objects.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.table, Key: d.ExportManifest})
	if err != nil {
		return err
	}
	var summary struct{ ExportArn, TableArn string }
	err = json.NewDecoder(out.Body).Decode(&summary)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return err
	}
	if summary.ExportArn != *d.ExportArn || summary.TableArn != *d.TableArn {
		return fmt.Errorf("the manifest of %s says %+v", *d.ExportArn, summary)
	}
	return nil
}

func noExport(s *subject) error {
	_, err := s.DescribeExport(s.ctx, &dynamodb.DescribeExportInput{ExportArn: ptr("arn:aws:dynamodb:us-east-1:000000000000:table/none/export/01695353076000-a1d8d828")})
	return refused(err, "ExportNotFoundException")
}
