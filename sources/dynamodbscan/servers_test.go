package dynamodbscan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// servers are those of others that a scan reads.
var servers = map[string]func(testing.TB, ...awstest.Option) *awstest.Service{"MiniStack": awstest.MiniStack, "dynoxide": awstest.Dynoxide}

// oddItem has what values of DynamoDB can be: the smallest and the longest numbers, sets in any order, what is
// empty, null and binary.
func oddItem(i int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("odd%d", i)}, "n": &types.AttributeValueMemberN{Value: "1E-130"},
		"d": &types.AttributeValueMemberN{Value: "12345678901234567890123456789012345678"}, "h": &types.AttributeValueMemberN{Value: "12.50"},
		"ss": &types.AttributeValueMemberSS{Value: []string{"b", "a", "c"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"10", "9.5", "-1"}},
		"bs": &types.AttributeValueMemberBS{Value: [][]byte{{0, 255}, {0}}}, "b": &types.AttributeValueMemberB{Value: []byte{0, 255}},
		"e": &types.AttributeValueMemberS{Value: ""}, "z": &types.AttributeValueMemberNULL{Value: true}, "l": &types.AttributeValueMemberL{Value: []types.AttributeValue{}},
		"m": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"x": &types.AttributeValueMemberBOOL{Value: false}}},
	}
}

// TestScanOnServers: servers that others wrote are read whole, in segments and pages, killed in between, and
// values come as they were put, numbers as the server writes them.
func TestScanOnServers(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			client := dynamodb.NewFromConfig(server.Config())
			table := "scan-" + strings.ToLower(name)
			_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest,
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}}, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}}})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]map[string]types.AttributeValue{}
			put := func(item map[string]types.AttributeValue) {
				want[item["pk"].(*types.AttributeValueMemberS).Value] = item
				if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 40 {
				put(oddItem(i))
			}
			for i := range 9 {
				put(map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("large%d", i)}, "text": &types.AttributeValueMemberS{Value: strings.Repeat("x", 350_000)}})
			}
			r := &rig{t: t, cursors: map[string][]byte{}, cfg: Config{Table: table, Segments: 8, ReadCapacity: 1_000_000, Config: awsapi.Config{Endpoint: server.Endpoint, Region: "us-east-1"}}}
			t.Cleanup(r.close)
			for i := range 4 { // and killed, with part of a page saved
				r.open()
				r.must(r.step(t.Context(), i))
			}
			r.open()
			r.toEnd()
			for _, one := range r.got {
				var line struct{ Item map[string]map[string]any }
				r.must(json.Unmarshal([]byte(one.text), &line))
				key := line.Item["pk"]["S"].(string)
				if got, put := plain(line.Item), plain(typedJSON(t, want[key])); want[key] == nil || got != put {
					t.Errorf("item %s came as\n%.300s, was put as\n%.300s", key, got, put)
				}
				delete(want, key)
			}
			if len(want) > 0 {
				t.Errorf("%d items did not come, or another twice", len(want))
			}
		})
	}
}

// typedJSON writes an item as the service does.
func typedJSON(t *testing.T, item map[string]types.AttributeValue) map[string]map[string]any {
	t.Helper()
	var write func(v types.AttributeValue) map[string]any
	write = func(v types.AttributeValue) map[string]any {
		switch v := v.(type) {
		case *types.AttributeValueMemberL:
			list := []any{}
			for _, e := range v.Value {
				list = append(list, write(e))
			}
			return map[string]any{"L": list}
		case *types.AttributeValueMemberM:
			m := map[string]any{}
			for k, e := range v.Value {
				m[k] = write(e)
			}
			return map[string]any{"M": m}
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
		b, err := json.Marshal(v) // {"Value": …}, bytes as base64
		if err != nil {
			t.Fatal(err)
		}
		var one struct{ Value any }
		if err := json.Unmarshal(b, &one); err != nil {
			t.Fatal(err)
		}
		return map[string]any{kind: one.Value}
	}
	out := map[string]map[string]any{}
	for name, v := range item {
		out[name] = write(v)
	}
	return out
}

// plain writes an item as a text: numbers as fractions, and sets sorted.
func plain(item map[string]map[string]any) string {
	for _, v := range item {
		for kind, value := range v {
			switch kind {
			case "N":
				v[kind] = fraction(value)
			case "SS", "NS", "BS":
				var texts []string
				for _, e := range value.([]any) {
					if kind == "NS" {
						e = fraction(e)
					}
					texts = append(texts, e.(string))
				}
				slices.Sort(texts)
				v[kind] = texts
			}
		}
	}
	b, err := json.Marshal(item)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func fraction(number any) string {
	r, ok := new(big.Rat).SetString(number.(string))
	if !ok {
		return fmt.Sprintf("%q is no number", number)
	}
	return r.RatString()
}
