package dynamodbtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func describesItself(s *subject) error {
	if err := s.make("", true); err != nil {
		return err
	}
	out, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return err
	}
	d := out.Table
	if !strings.HasSuffix(*d.TableArn, ":table/"+s.table) || !strings.HasPrefix(*d.TableArn, "arn:aws:dynamodb:") || d.TableStatus != types.TableStatusActive || d.TableId == nil {
		return fmt.Errorf("ARN %v, status %s, id %v", *d.TableArn, d.TableStatus, d.TableId)
	}
	if len(d.KeySchema) != 2 || *d.KeySchema[0].AttributeName != "id" || d.KeySchema[1].KeyType != types.KeyTypeRange || d.ItemCount == nil || d.TableSizeBytes == nil {
		return fmt.Errorf("keys %v, %v items, %v bytes", d.KeySchema, d.ItemCount, d.TableSizeBytes)
	}
	return nil
}

func tableOnce(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	return refused(s.make("", false), "ResourceInUseException")
}

func noTable(s *subject) error {
	_, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	return errors.Join(refused(err, "ResourceNotFoundException"), refused(s.put(attributes{"id": text("1")}), "ResourceNotFoundException"))
}

func tablePages(s *subject) error {
	for _, suffix := range []string{"-a", "-b"} {
		of := *s
		if of.table += suffix; of.make("", false) != nil {
			return fmt.Errorf("%s can't be made", of.table)
		}
	}
	out, err := s.ListTables(s.ctx, &dynamodb.ListTablesInput{Limit: ptr(int32(1)), ExclusiveStartTableName: ptr(s.table)})
	if err != nil {
		return err
	}
	if !slices.Equal(out.TableNames, []string{s.table + "-a"}) || out.LastEvaluatedTableName == nil || *out.LastEvaluatedTableName != s.table+"-a" {
		return fmt.Errorf("tables %v, last %v", out.TableNames, out.LastEvaluatedTableName)
	}
	return nil
}

func allTypes(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	item := attributes{
		"id": text("ü\u2028<&>\"\\"), "empty": text(""), "n": digits("-0.5"), "b": &types.AttributeValueMemberB{Value: []byte{0, 255}},
		"yes": &types.AttributeValueMemberBOOL{Value: true}, "null": &types.AttributeValueMemberNULL{Value: true},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{text("x"), &types.AttributeValueMemberL{Value: []types.AttributeValue{}}}},
		"map":  &types.AttributeValueMemberM{Value: attributes{"": text("of an empty name"), "m": &types.AttributeValueMemberM{Value: attributes{}}}},
		"ss":   &types.AttributeValueMemberSS{Value: []string{"only"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"7"}},
		"bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}}},
	}
	delete(item["map"].(*types.AttributeValueMemberM).Value, "")
	if err := s.put(item); err != nil {
		return err
	}
	got, err := s.get("ü\u2028<&>\"\\")
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, item) {
		return fmt.Errorf("it comes back as %v", got)
	}
	return nil
}

func numbersNormal(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	var errs []error
	for written, wanted := range map[string]string{
		"12.50": "12.5", "-0": "0", "1e3": "1000", "0.000": "0", "+7": "7", "007": "7", "1E-130": "0." + strings.Repeat("0", 129) + "1",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678", "1.5e2": "150", ".5": "0.5",
		"9.9999999999999999999999999999999999999E+125": strings.Repeat("9", 38) + strings.Repeat("0", 88),
	} {
		if err := s.put(attributes{"id": text("1"), "n": digits(written)}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", written, err))
			continue
		}
		got, err := s.get("1")
		if err != nil {
			return err
		}
		if n := got["n"].(*types.AttributeValueMemberN).Value; n != wanted {
			errs = append(errs, fmt.Errorf("%s comes back as %s", written, n))
		}
	}
	return errors.Join(errs...)
}

func numbersBeyond(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	var errs []error
	for _, n := range []string{"123456789012345678901234567890123456789", "1E126", "1E-131", "-1E126", "NaN", "", "1e", "0x10", "1_000", "Infinity"} {
		if err := refused(s.put(attributes{"id": text("1"), "n": digits(n)}), "ValidationException"); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", n, err))
		}
	}
	return errors.Join(errs...)
}

func badSets(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	var errs []error
	for _, set := range []types.AttributeValue{
		&types.AttributeValueMemberSS{Value: []string{}}, &types.AttributeValueMemberSS{Value: []string{"a", "a"}},
		&types.AttributeValueMemberNS{Value: []string{"1", "1.0"}}, &types.AttributeValueMemberBS{Value: [][]byte{{1}, {1}}},
	} {
		if err := refused(s.put(attributes{"id": text("1"), "set": set}), "ValidationException"); err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", set, err))
		}
	}
	return errors.Join(errs...)
}

func badKeys(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	_, wrong := s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: attributes{"other": text("1")}})
	_, more := s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: attributes{"id": text("1"), "other": text("1")}})
	var errs []error
	for n, err := range []error{
		s.put(attributes{"n": digits("1")}), s.put(attributes{"id": digits("1")}), s.put(attributes{"id": text("")}),
		s.put(attributes{"id": text(strings.Repeat("x", 2049))}), wrong, more,
	} {
		if err := refused(err, "ValidationException"); err != nil {
			errs = append(errs, fmt.Errorf("key %d: %w", n, err))
		}
	}
	return errors.Join(append(errs, s.put(attributes{"id": text(strings.Repeat("x", 2048))}))...)
}

func itemTooLarge(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	const beside = len("id") + len("1") + len("x")
	if err := s.put(attributes{"id": text("1"), "x": text(strings.Repeat("x", maxItem-beside))}); err != nil {
		return fmt.Errorf("409,600 bytes: %w", err)
	}
	return refused(s.put(attributes{"id": text("1"), "x": text(strings.Repeat("x", maxItem-beside+1))}), "ValidationException")
}

func returnsOld(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	put, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: attributes{"id": text("0"), "n": digits("9")}, ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		return err
	}
	deleted, err := s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: attributes{"id": text("0")}, ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(put.Attributes["n"], digits("0")) || !reflect.DeepEqual(deleted.Attributes["n"], digits("9")) {
		return fmt.Errorf("old items %v and %v", put.Attributes, deleted.Attributes)
	}
	return nil
}

func batchBounds(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	write := func(ids ...string) error {
		var requests []types.WriteRequest
		for _, id := range ids {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: attributes{"id": text(id)}}})
		}
		_, err := s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.table: requests}})
		return err
	}
	var many []string
	for i := range 26 {
		many = append(many, fmt.Sprint(i))
	}
	if err := write(many[:25]...); err != nil {
		return err
	}
	return errors.Join(refused(write(many...), "ValidationException"), refused(write("a", "a"), "ValidationException"))
}

func conditions(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	values := attributes{":zero": digits("0"), ":text": text("0"), ":one": digits("1")}
	var errs []error
	for condition, holds := range map[string]bool{
		"n = :zero AND id = :text AND #n < :one":                                   true,
		"attribute_not_exists(id) OR n = :one AND id = :text AND #n = :zero":       false,
		"NOT n = :one AND n BETWEEN :zero AND :one AND id = :text AND #n = :zero":  true,
		"n IN (:one, :zero) AND begins_with(id, :text) AND #n = :zero":             true,
		"absent = :one OR n = id OR (#n = :one) OR size(id) > :one OR id <> :text": false,
		"absent <> :one AND attribute_exists(#n) AND n = :zero AND id = :text":     true,
	} {
		in := &dynamodb.UpdateItemInput{
			TableName: &s.table, Key: attributes{"id": text("0")}, ConditionExpression: &condition,
			ExpressionAttributeNames: map[string]string{"#n": "n"}, ExpressionAttributeValues: attributes{},
		}
		for name, v := range values {
			if strings.Contains(condition, name) {
				in.ExpressionAttributeValues[name] = v
			}
		}
		if !strings.Contains(condition, "#n") {
			in.ExpressionAttributeNames = nil
		}
		_, err := s.UpdateItem(s.ctx, in)
		if !holds {
			err = refused(err, "ConditionalCheckFailedException")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", condition, err))
		}
	}
	return errors.Join(errs...)
}

func badCondition(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	var errs []error
	for _, condition := range []string{"n = ", "n == :v", "n = :v AND", "(n = :v", "n = :v)", "attribute_exists(:v, n)", "n = :missing AND n = :v", "n ! :v", "id = id"} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: attributes{"id": text("0")}, ConditionExpression: &condition, ExpressionAttributeValues: attributes{":v": digits("0")}})
		if err := refused(err, "ValidationException"); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", condition, err))
		}
	}
	return errors.Join(errs...)
}

func updates(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	list := &types.AttributeValueMemberL{Value: []types.AttributeValue{text("a"), text("b"), text("c")}}
	if err := s.put(attributes{"id": text("1"), "n": digits("1"), "gone": text("x"), "l": list, "m": &types.AttributeValueMemberM{Value: attributes{"x": digits("1")}}, "s": &types.AttributeValueMemberSS{Value: []string{"a"}}}); err != nil {
		return err
	}
	out, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: attributes{"id": text("1")}, ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:          ptr("SET n = n + :d, m.x = if_not_exists(absent, :d), m.y = n, k = list_append(l, l) REMOVE gone, l[0], l[1] ADD hits :d DELETE s :a"),
		ExpressionAttributeValues: attributes{":d": digits("0.25"), ":a": &types.AttributeValueMemberSS{Value: []string{"a"}}},
	})
	if err != nil {
		return err
	}
	a := out.Attributes
	want := attributes{
		"id": text("1"), "n": digits("1.25"), "hits": digits("0.25"), "l": &types.AttributeValueMemberL{Value: []types.AttributeValue{text("c")}},
		"m": &types.AttributeValueMemberM{Value: attributes{"x": digits("0.25"), "y": digits("1")}},
		"k": &types.AttributeValueMemberL{Value: append(slices.Clone(list.Value), list.Value...)},
	}
	for name, v := range a {
		if !reflect.DeepEqual(v, want[name]) {
			return fmt.Errorf("%s is %+v now", name, v)
		}
	}
	if len(a) != len(want) {
		return fmt.Errorf("it has %d attributes now", len(a))
	}
	return nil
}

func updateOfKey(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: attributes{"id": text("0")}, UpdateExpression: ptr("SET id = :v"), ExpressionAttributeValues: attributes{":v": text("1")},
	})
	return refused(err, "ValidationException")
}

// transact puts an item of a new id, and one whose condition fails if asked for.
func (s *subject) transact(id string, fails bool) error {
	condition := "attribute_exists(id)"
	if fails {
		condition = "attribute_not_exists(id)"
	}
	_, err := s.TransactWriteItems(s.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: &s.table, Item: attributes{"id": text(id)}}},
		{ConditionCheck: &types.ConditionCheck{TableName: &s.table, Key: attributes{"id": text("0")}, ConditionExpression: &condition}},
	}})
	return err
}

func transactions(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	if err := refused(s.transact("not", true), "TransactionCanceledException"); err != nil {
		return err
	}
	if err := s.transact("done", false); err != nil {
		return err
	}
	not, err := s.get("not")
	if err != nil {
		return err
	}
	done, err := s.get("done")
	if err != nil {
		return err
	}
	if not != nil || done == nil {
		return fmt.Errorf("of the one that failed %v, of the other one %v", not, done)
	}
	return nil
}

func queryOrder(s *subject) error {
	if err := s.make("", true); err != nil {
		return err
	}
	for _, at := range []string{"10", "-1", "2", "0", "-10.5", "0.001"} {
		if err := s.put(attributes{"id": text("1"), "pos": digits(at)}); err != nil {
			return err
		}
	}
	query := func(condition string, forward bool, from string) (got []string, err error) {
		in := &dynamodb.QueryInput{
			TableName: &s.table, KeyConditionExpression: &condition, ScanIndexForward: &forward,
			ExpressionAttributeValues: attributes{":id": text("1")},
		}
		if strings.Contains(condition, ":from") {
			in.ExpressionAttributeValues[":from"] = digits(from)
		}
		in.Limit = ptr(int32(2))
		for {
			out, err := s.Query(s.ctx, in)
			if err != nil {
				return nil, err
			}
			for _, i := range out.Items {
				got = append(got, i["pos"].(*types.AttributeValueMemberN).Value)
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				return got, nil
			}
		}
	}
	all, err := query("id = :id", true, "")
	if err != nil {
		return err
	}
	back, err := query("id = :id AND pos >= :from", false, "0")
	if err != nil {
		return err
	}
	if !slices.Equal(all, []string{"-10.5", "-1", "0", "0.001", "2", "10"}) || !slices.Equal(back, []string{"10", "2", "0.001", "0"}) {
		return fmt.Errorf("%v, and back to 0 %v", all, back)
	}
	return nil
}

func filterCounts(s *subject) error {
	if err := s.filled(4); err != nil {
		return err
	}
	out, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: &s.table, Limit: ptr(int32(3)), FilterExpression: ptr("n < :none"), ExpressionAttributeValues: attributes{":none": digits("0")}})
	if err != nil {
		return err
	}
	if out.Count != 0 || out.ScannedCount != 3 || out.LastEvaluatedKey == nil {
		return fmt.Errorf("%d of %d items, last %v", out.Count, out.ScannedCount, out.LastEvaluatedKey)
	}
	return nil
}

func scanPages(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	const n = 9
	for i := range n {
		if err := s.put(attributes{"id": text(fmt.Sprint(i)), "x": text(strings.Repeat("x", 350_000))}); err != nil {
			return err
		}
	}
	in, total := &dynamodb.ScanInput{TableName: &s.table}, 0
	for pages := 1; ; pages++ {
		out, err := s.Scan(s.ctx, in)
		if err != nil {
			return err
		}
		total += len(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			if total != n || pages < 3 || pages > 5 {
				return fmt.Errorf("%d items on %d pages", total, pages)
			}
			return nil
		}
	}
}

func scanSegments(s *subject) error {
	const n = 40
	if err := s.filled(n); err != nil {
		return err
	}
	seen, used := map[string]int{}, 0
	for segment := range int32(3) {
		in, before := &dynamodb.ScanInput{TableName: &s.table, Segment: &segment, TotalSegments: ptr(int32(3)), Limit: ptr(int32(5))}, len(seen)
		for {
			out, err := s.Scan(s.ctx, in)
			if err != nil {
				return err
			}
			for _, i := range out.Items {
				seen[i["id"].(*types.AttributeValueMemberS).Value]++
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				break
			}
		}
		if len(seen) > before {
			used++
		}
	}
	for id, times := range seen {
		if times != 1 {
			return fmt.Errorf("item %s came %d times", id, times)
		}
	}
	if len(seen) != n || used != 3 {
		return fmt.Errorf("%d items in %d segments", len(seen), used)
	}
	_, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: &s.table, Segment: ptr(int32(3)), TotalSegments: ptr(int32(3))})
	return refused(err, "ValidationException")
}

func scanBehindDeleted(s *subject) error {
	if err := s.filled(10); err != nil {
		return err
	}
	out, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: &s.table, Limit: ptr(int32(4))})
	if err != nil {
		return err
	}
	if err := s.remove(out.LastEvaluatedKey["id"].(*types.AttributeValueMemberS).Value); err != nil {
		return err
	}
	rest, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: &s.table, ExclusiveStartKey: out.LastEvaluatedKey})
	if err != nil {
		return err
	}
	if len(rest.Items) != 6 {
		return fmt.Errorf("%d items behind it", len(rest.Items))
	}
	return nil
}

func readCapacity(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	if err := s.put(attributes{"id": text("1"), "x": text(strings.Repeat("x", 9000))}); err != nil {
		return err
	}
	for consistent, want := range map[bool]float64{true: 3, false: 1.5} {
		out, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: &consistent, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
		if err != nil {
			return err
		}
		if out.ConsumedCapacity == nil {
			return errors.New("it says nothing of its capacity")
		}
		if *out.ConsumedCapacity.CapacityUnits != want {
			return fmt.Errorf("consistent %v takes %v", consistent, *out.ConsumedCapacity.CapacityUnits)
		}
	}
	return nil
}

func timeToLive(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	set := func(enabled bool) error {
		_, err := s.UpdateTimeToLive(s.ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &s.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: ptr("expires"), Enabled: &enabled}})
		return err
	}
	if err := set(true); err != nil {
		return err
	}
	out, err := s.DescribeTimeToLive(s.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.table})
	if err != nil {
		return err
	}
	if d := out.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *d.AttributeName != "expires" {
		return fmt.Errorf("status %s of %v", d.TimeToLiveStatus, d.AttributeName)
	}
	return refused(set(true), "ValidationException")
}

func recoveryDescribes(s *subject) error {
	if err := s.make("", false); err != nil {
		return err
	}
	status := func() (types.PointInTimeRecoveryStatus, error) {
		out, err := s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &s.table})
		if err != nil {
			return "", err
		}
		d := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
		if d.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled && (d.EarliestRestorableDateTime == nil || d.LatestRestorableDateTime == nil) {
			return "", errors.New("times are missing")
		}
		return d.PointInTimeRecoveryStatus, nil
	}
	before, err := status()
	if err != nil {
		return err
	}
	if _, err := s.UpdateContinuousBackups(s.ctx, &dynamodb.UpdateContinuousBackupsInput{TableName: &s.table, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: ptr(true)}}); err != nil {
		return err
	}
	after, err := status()
	if err != nil {
		return err
	}
	if before != types.PointInTimeRecoveryStatusDisabled || after != types.PointInTimeRecoveryStatusEnabled {
		return fmt.Errorf("%s, then %s", before, after)
	}
	missing := s.table + "-missing"
	_, err = s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &missing})
	return refused(err, "TableNotFoundException")
}
