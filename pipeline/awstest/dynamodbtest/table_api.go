package dynamodbtest

import (
	"crypto/md5"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

func (s *Server) tableOperations() map[string]awsfake.Operation {
	return map[string]awsfake.Operation{
		"CreateTable":               operation(s, func(in *createTableInput) (string, string) { return in.TableName, "" }, s.onCreateTable),
		"DescribeTable":             operation(s, aboutTable, s.onDescribeTable),
		"ListTables":                operation(s, func(*listTablesInput) (string, string) { return "", "" }, s.onListTables),
		"DeleteTable":               operation(s, aboutTable, s.onDeleteTable),
		"UpdateTable":               operation(s, func(in *updateTableInput) (string, string) { return in.TableName, "" }, s.onUpdateTable),
		"UpdateTimeToLive":          operation(s, func(in *timeToLiveInput) (string, string) { return in.TableName, "" }, s.onUpdateTimeToLive),
		"DescribeTimeToLive":        operation(s, aboutTable, s.onDescribeTimeToLive),
		"UpdateContinuousBackups":   operation(s, func(in *backupsInput) (string, string) { return in.TableName, "" }, s.onUpdateBackups),
		"DescribeContinuousBackups": operation(s, aboutTable, s.onDescribeBackups),
	}
}

// tableInput is the input of operations about one table.
type tableInput struct{ TableName string }

func aboutTable(in *tableInput) (string, string) { return in.TableName, "" }

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct{ AttributeName, AttributeType string }

type streamSpecification struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

type throughput struct{ ReadCapacityUnits, WriteCapacityUnits int64 }

type createTableInput struct {
	TableName             string
	KeySchema             []keyElement
	AttributeDefinitions  []attributeDefinition
	BillingMode           string
	ProvisionedThroughput *throughput
	StreamSpecification   *streamSpecification
	TableClass            string
}

var tableNames = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// seconds writes a time as the service writes most of them: in seconds, with milliseconds.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (s *Server) onCreateTable(c *awsfake.Call, in *createTableInput) (any, error) {
	if !tableNames.MatchString(in.TableName) {
		return nil, invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	if s.lookup(c.Region, in.TableName) != nil {
		return nil, awsfake.Errorf("ResourceInUseException", "Table already exists: %s", in.TableName)
	}
	t := &tableState{
		name: in.TableName, region: c.Region, created: s.now(), billing: in.BillingMode, class: in.TableClass,
		arn: fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", c.Region, s.o.Account, in.TableName),
	}
	id := md5.Sum(fmt.Appendf(nil, "%s %d", t.arn, t.created.UnixNano()))
	t.id = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	if err := t.setKeys(in); err != nil {
		return nil, err
	}
	if t.billing != "PAY_PER_REQUEST" {
		t.billing = "PROVISIONED"
		if in.ProvisionedThroughput == nil {
			return nil, invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
		}
		t.readUnits, t.writeUnits = in.ProvisionedThroughput.ReadCapacityUnits, in.ProvisionedThroughput.WriteCapacityUnits
	}
	t.partitions = []*partition{{last: math.MaxUint64}}
	if spec := in.StreamSpecification; spec != nil && spec.StreamEnabled {
		if err := s.enable(t, spec.StreamViewType); err != nil {
			return nil, err
		}
	}
	s.tables[c.Region+"/"+in.TableName] = t
	return map[string]any{"TableDescription": t.describe()}, nil
}

// setKeys sets what the key of a table is.
func (t *tableState) setKeys(in *createTableInput) error {
	kinds := map[string]string{}
	for _, a := range in.AttributeDefinitions {
		kinds[a.AttributeName] = a.AttributeType
	}
	for _, k := range in.KeySchema {
		kind := kinds[k.AttributeName]
		switch {
		case kind == "":
			return invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: %v", k.AttributeName, slices.Sorted(maps.Keys(kinds)))
		case k.KeyType == "HASH" && t.hash.name == "":
			t.hash = keyAttribute{k.AttributeName, kind}
		case k.KeyType == "RANGE" && t.hash.name != "" && t.sort == nil:
			t.sort = &keyAttribute{k.AttributeName, kind}
		default:
			return invalid("Invalid KeySchema: The %s KeySchemaElement is not of the right key type", k.AttributeName)
		}
	}
	if t.hash.name == "" {
		return invalid("One or more parameter values were invalid: Missing the key schema's HASH element")
	}
	return nil
}

// enable enables a table's stream.
func (s *Server) enable(t *tableState, view string) error {
	switch {
	case t.enabled() != nil:
		return invalid("Table already has an enabled stream: TableName: %s", t.name)
	case !slices.Contains([]string{"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"}, view):
		return invalid("One or more parameter values were invalid: StreamViewType %q is none of KEYS_ONLY, NEW_IMAGE, OLD_IMAGE and NEW_AND_OLD_IMAGES", view)
	}
	s.openStream(t, view)
	return nil
}

func (t *tableState) schema() (keys []keyElement, attributes []attributeDefinition) {
	keys = append(keys, keyElement{t.hash.name, "HASH"})
	attributes = append(attributes, attributeDefinition{t.hash.name, t.hash.kind})
	if t.sort != nil {
		keys = append(keys, keyElement{t.sort.name, "RANGE"})
		attributes = append(attributes, attributeDefinition{t.sort.name, t.sort.kind})
	}
	return keys, attributes
}

func (t *tableState) describe() map[string]any {
	keys, attributes := t.schema()
	d := map[string]any{
		"TableName": t.name, "TableArn": t.arn, "TableId": t.id, "TableStatus": "ACTIVE", "CreationDateTime": seconds(t.created),
		"KeySchema": keys, "AttributeDefinitions": attributes, "ItemCount": t.items.count, "TableSizeBytes": t.items.bytes,
		"ProvisionedThroughput":     map[string]int64{"ReadCapacityUnits": t.readUnits, "WriteCapacityUnits": t.writeUnits, "NumberOfDecreasesToday": 0},
		"DeletionProtectionEnabled": false,
	}
	if t.billing == "PAY_PER_REQUEST" {
		d["BillingModeSummary"] = map[string]any{"BillingMode": t.billing, "LastUpdateToPayPerRequestDateTime": seconds(t.created)}
	}
	if t.class != "" {
		d["TableClassSummary"] = map[string]any{"TableClass": t.class}
	}
	if st := t.latest(); st != nil {
		d["LatestStreamArn"], d["LatestStreamLabel"] = st.arn, st.label
	}
	if st := t.enabled(); st != nil {
		d["StreamSpecification"] = streamSpecification{true, st.view}
	}
	return d
}

// describable finds the table of a request about tables.
func (s *Server) describable(region, name string) (*tableState, error) {
	if t := s.lookup(region, name); t != nil {
		return t, nil
	}
	return nil, awsfake.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", tableName(name))
}

func (s *Server) onDescribeTable(c *awsfake.Call, in *tableInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Table": t.describe()}, nil
}

type listTablesInput struct {
	ExclusiveStartTableName string
	Limit                   int
}

func (s *Server) onListTables(c *awsfake.Call, in *listTablesInput) (any, error) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	names := []string{}
	for _, t := range s.tables {
		if t.region == c.Region && t.name > in.ExclusiveStartTableName {
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	out := map[string]any{"TableNames": names}
	if len(names) > in.Limit {
		out["TableNames"], out["LastEvaluatedTableName"] = names[:in.Limit], names[in.Limit-1]
	}
	return out, nil
}

func (s *Server) onDeleteTable(c *awsfake.Call, in *tableInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	d := t.describe()
	d["TableStatus"] = "DELETING"
	if st := t.enabled(); st != nil {
		s.closeStream(st)
	}
	s.dropped = append(s.dropped, t)
	delete(s.tables, t.region+"/"+t.name)
	return map[string]any{"TableDescription": d}, nil
}

type updateTableInput struct {
	TableName             string
	BillingMode           string
	ProvisionedThroughput *throughput
	StreamSpecification   *streamSpecification
}

func (s *Server) onUpdateTable(c *awsfake.Call, in *updateTableInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	if spec := in.StreamSpecification; spec != nil {
		switch {
		case spec.StreamEnabled:
			err = s.enable(t, spec.StreamViewType)
		case t.enabled() == nil:
			err = invalid("Table is already disabled: TableName: %s", t.name)
		default:
			s.closeStream(t.enabled())
		}
		if err != nil {
			return nil, err
		}
	}
	if in.BillingMode != "" {
		t.billing, t.readUnits, t.writeUnits = in.BillingMode, 0, 0
	}
	if p := in.ProvisionedThroughput; p != nil {
		t.readUnits, t.writeUnits = p.ReadCapacityUnits, p.WriteCapacityUnits
	}
	return map[string]any{"TableDescription": t.describe()}, nil
}

type timeToLiveInput struct {
	TableName               string
	TimeToLiveSpecification struct {
		AttributeName string
		Enabled       bool
	}
}

func (s *Server) onUpdateTimeToLive(c *awsfake.Call, in *timeToLiveInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	switch {
	case spec.AttributeName == "":
		return nil, invalid("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case spec.Enabled && t.expiry != "":
		return nil, invalid("TimeToLive is already enabled")
	case !spec.Enabled && t.expiry == "":
		return nil, invalid("TimeToLive is already disabled")
	case spec.Enabled:
		t.expiry = spec.AttributeName
	default:
		t.expiry = ""
	}
	return map[string]any{"TimeToLiveSpecification": spec}, nil
}

func (s *Server) onDescribeTimeToLive(c *awsfake.Call, in *tableInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	d := map[string]string{"TimeToLiveStatus": "DISABLED"}
	if t.expiry != "" {
		d = map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": t.expiry}
	}
	return map[string]any{"TimeToLiveDescription": d}, nil
}

type backupsInput struct {
	TableName                        string
	PointInTimeRecoverySpecification struct {
		PointInTimeRecoveryEnabled bool
		RecoveryPeriodInDays       int
	}
}

func (s *Server) onUpdateBackups(c *awsfake.Call, in *backupsInput) (any, error) {
	t := s.lookup(c.Region, in.TableName)
	if t == nil {
		return nil, awsfake.Errorf("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	spec := in.PointInTimeRecoverySpecification
	switch {
	case !spec.PointInTimeRecoveryEnabled:
		t.recovery = recovery{}
	case t.recovery.since.IsZero():
		t.recovery = recovery{since: s.now(), days: 35}
	}
	if spec.RecoveryPeriodInDays != 0 {
		t.recovery.days = spec.RecoveryPeriodInDays
	}
	return map[string]any{"ContinuousBackupsDescription": t.backups(s.now())}, nil
}

func (s *Server) onDescribeBackups(c *awsfake.Call, in *tableInput) (any, error) {
	t := s.lookup(c.Region, in.TableName)
	if t == nil {
		return nil, awsfake.Errorf("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	return map[string]any{"ContinuousBackupsDescription": t.backups(s.now())}, nil
}

func (t *tableState) backups(now time.Time) map[string]any {
	p := map[string]any{"PointInTimeRecoveryStatus": "DISABLED"}
	if r := t.recovery; !r.since.IsZero() {
		p = map[string]any{
			"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": r.days,
			"EarliestRestorableDateTime": seconds(r.earliest(now)), "LatestRestorableDateTime": seconds(r.latest(now)),
		}
	}
	return map[string]any{"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": p}
}

// earliest and latest are between which times a table can be restored. The latest is said to be
// about five minutes ago; an export may be of any time up to now.
func (r recovery) earliest(now time.Time) time.Time {
	if oldest := now.AddDate(0, 0, -r.days); oldest.After(r.since) {
		return oldest
	}
	return r.since
}

func (r recovery) latest(now time.Time) time.Time {
	if latest := now.Add(-5 * time.Minute); latest.After(r.since) {
		return latest
	}
	return r.since
}
