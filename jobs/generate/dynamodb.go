package generate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// itemTable is a DynamoDB table, in which each line is a put or a delete of an item: a stream of the
// table then has these changes.
type itemTable struct {
	name  string // or its ARN
	cfg   awsapi.Config
	lines reader
	retry awsapi.Retry

	client *dynamodb.Client
	keys   []string // of the table
}

var _ target = (*itemTable)(nil)

// open implements target.
func (t *itemTable) open(ctx context.Context, create bool) error {
	cfg, err := t.cfg.Load(ctx)
	if err != nil {
		return err
	}
	t.client = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if endpoint := t.cfg.BaseEndpoint(); endpoint != nil { // else it may be the environment's
			o.BaseEndpoint = endpoint
		}
	})
	made, retry := false, t.retry
	retry.Attempts = openAttempts
	return waitActive(ctx, "table "+t.name, func(ctx context.Context) (bool, error) {
		var out *dynamodb.DescribeTableOutput
		err := retry.Do(ctx, func(ctx context.Context) (err error) {
			out, err = t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
			return err
		})
		var none *types.ResourceNotFoundException
		switch {
		case errors.As(err, &none) && create && !made:
			made = true
			return false, t.create(ctx, retry)
		case errors.As(err, &none):
			return false, fmt.Errorf("there is no table %s in %s: see --region, or give --create to make it", t.name, cfg.Region)
		case err != nil:
			return false, fmt.Errorf("table %s: %w", t.name, err)
		}
		t.keys = nil
		for _, k := range out.Table.KeySchema {
			t.keys = append(t.keys, aws.ToString(k.AttributeName))
		}
		return out.Table.TableStatus == types.TableStatusActive || out.Table.TableStatus == types.TableStatusUpdating, nil
	})
}

// create makes an on-demand table whose stream has both images.
func (t *itemTable) create(ctx context.Context, retry awsapi.Retry) error {
	if strings.HasPrefix(t.name, "arn:") {
		return fmt.Errorf("table %s: --create wants the table's name", t.name)
	}
	in := &dynamodb.CreateTableInput{TableName: &t.name, BillingMode: types.BillingModePayPerRequest,
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}}
	for i, k := range t.lines.keys {
		kind, use := types.ScalarAttributeTypeS, types.KeyTypeHash
		if k == saleKey {
			kind = types.ScalarAttributeTypeN
		}
		if i > 0 {
			use = types.KeyTypeRange
		}
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String(k), AttributeType: kind})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String(k), KeyType: use})
	}
	err := retry.Do(ctx, func(ctx context.Context) error {
		_, err := t.client.CreateTable(ctx, in)
		return err
	})
	var there *types.ResourceInUseException // of an attempt whose answer was lost
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	return nil
}

// pack implements target.
func (t *itemTable) pack(line []byte) ([]*entry, error) {
	w, err := t.lines.read(line)
	if err != nil {
		return nil, err
	}
	if lack := missing(w.key, t.keys); len(lack) > 0 {
		return nil, fmt.Errorf("table %s has the key (%s), and these items have none of the name %s: their key is (%s)", t.name,
			strings.Join(t.keys, ", "), strings.Join(lack, ", "), strings.Join(t.lines.keys, ", "))
	}
	key := attributes{}
	for _, k := range t.keys {
		key[k] = w.key[k]
	}
	request := types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
	if w.item != nil {
		request = types.WriteRequest{PutRequest: &types.PutRequest{Item: w.item}}
	}
	return []*entry{{order: orderOf(key, t.keys), size: len(line), records: 1, value: request}}, nil
}

// orderOf returns one text for each key.
func orderOf(key attributes, keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		text := keyText(key[k])
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	return b.String()
}

// rest implements target.
func (t *itemTable) rest() []*entry { return nil }

// limits implements target: those of BatchWriteItem
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html).
func (t *itemTable) limits() requestLimits {
	return requestLimits{entries: 25, bytes: 8 << 20, parallel: 8}
}

// write implements target.
func (t *itemTable) write(ctx context.Context, batch []*entry) (refused []*entry, reason string, err error) {
	in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{}}
	byOrder := map[string]*entry{}
	for _, e := range batch {
		in.RequestItems[t.name] = append(in.RequestItems[t.name], e.value.(types.WriteRequest))
		byOrder[e.order] = e
	}
	var out *dynamodb.BatchWriteItemOutput
	err = t.retry.Do(ctx, func(ctx context.Context) (err error) {
		out, err = t.client.BatchWriteItem(ctx, in)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("table %s: %w", t.name, err)
	}
	for _, requests := range out.UnprocessedItems {
		for _, r := range requests {
			key := attributes{}
			switch {
			case r.PutRequest != nil:
				key = r.PutRequest.Item
			case r.DeleteRequest != nil:
				key = r.DeleteRequest.Key
			}
			e := byOrder[orderOf(key, t.keys)]
			if e == nil {
				return nil, "", fmt.Errorf("table %s: an item was not processed that was not sent", t.name)
			}
			refused, reason = append(refused, e), "UnprocessedItems"
		}
	}
	return refused, reason, nil
}
