"""Does by boto3 what people do with DynamoDB, against an endpoint, and prints what it saw, as one JSON object.

Arguments: endpoint, ARN of a Kinesis data stream, bucket.
"""
import json
import sys
import time
from datetime import timedelta
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary

endpoint, stream_arn, bucket = sys.argv[1:]
seen = {}
db = boto3.resource("dynamodb", endpoint_url=endpoint)
client = db.meta.client
streams = boto3.client("dynamodbstreams", endpoint_url=endpoint)


def refused(call, **kwargs):
    try:
        call(**kwargs)
    except client.exceptions.ClientError as e:
        return type(e).__name__
    return "nothing"


# A table, its stream, its time to live and its recovery.
table = db.create_table(
    TableName="tour",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
    BillingMode="PAY_PER_REQUEST",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)
client.get_waiter("table_exists").wait(TableName="tour")
client.update_time_to_live(TableName="tour", TimeToLiveSpecification={"AttributeName": "until", "Enabled": True})
client.update_continuous_backups(TableName="tour", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
client.enable_kinesis_streaming_destination(TableName="tour", StreamArn=stream_arn)
for _ in range(600):
    of = client.describe_kinesis_streaming_destination(TableName="tour")["KinesisDataStreamDestinations"][0]
    if of["DestinationStatus"] == "ACTIVE":
        break
    time.sleep(0.05)
seen["destination"] = [of["DestinationStatus"], of["ApproximateCreationDateTimePrecision"]]

# Items of all types, written in all ways.
rich = {
    "id": "rich", "n": Decimal("12.50"), "small": Decimal("1E-130"), "long": Decimal("12345678901234567890123456789012345678"),
    "bytes": Binary(b"\x00\xff"), "flag": True, "nothing": None, "list": ["a", Decimal(1), {"deep": [False]}], "map": {},
    "texts": {"b", "a"}, "numbers": {Decimal(3), Decimal("2.0")}, "blobs": {Binary(b"\x01"), Binary(b"\x02")}, "empty": "", "text": "ünï <&>\u2028 \"\\\n",
}
table.put_item(Item=rich)
back = table.get_item(Key={"id": "rich", "n": Decimal("12.5")}, ConsistentRead=True)["Item"]
seen["rich"] = sorted(k for k in rich if rich[k] == back.get(k))
with table.batch_writer() as batch:
    for i in range(60):
        batch.put_item(Item={"id": "batch", "n": i, "square": i * i})
for i in range(0, 60, 3):
    table.delete_item(Key={"id": "batch", "n": i})
out = table.update_item(
    Key={"id": "batch", "n": 1}, UpdateExpression="SET #s = #s + :one, tag = :tag REMOVE missing", ReturnValues="ALL_NEW",
    ExpressionAttributeNames={"#s": "square"}, ExpressionAttributeValues={":one": 1, ":tag": "x"})
seen["updated"] = [int(out["Attributes"]["square"]), out["Attributes"]["tag"]]
seen["conflict"] = refused(table.put_item, Item={"id": "batch", "n": 1}, ConditionExpression=Attr("id").not_exists())
seen["query"] = [int(i["n"]) for i in table.query(KeyConditionExpression=Key("id").eq("batch") & Key("n").between(10, 20))["Items"]]
client.transact_write_items(TransactItems=[
    {"Put": {"TableName": "tour", "Item": {"id": "both", "n": 1}}}, {"Put": {"TableName": "tour", "Item": {"id": "both", "n": 2}}}])
seen["large"] = refused(table.put_item, Item={"id": "large", "n": 1, "text": "x" * 400 * 1024})
seen["unknown"] = refused(client.describe_table, TableName="none")

# Its stream, from the oldest record of each shard.
described = streams.describe_stream(StreamArn=table.latest_stream_arn)["StreamDescription"]
records = []
for shard in described["Shards"]:
    it = streams.get_shard_iterator(StreamArn=described["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    page = streams.get_records(ShardIterator=it)
    records += page["Records"]
seen["stream"] = [described["StreamStatus"], described["StreamViewType"], len(records), sorted({r["eventName"] for r in records})]
numbers = [int(r["dynamodb"]["SequenceNumber"]) for r in records]
seen["ordered"] = numbers == sorted(numbers)

# An export.
recovery = client.describe_continuous_backups(TableName="tour")["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
seen["recovery"] = recovery["PointInTimeRecoveryStatus"]
late = recovery["LatestRestorableDateTime"] + timedelta(minutes=1)
seen["late"] = refused(client.export_table_to_point_in_time, TableArn=table.table_arn, S3Bucket=bucket, ExportTime=late)
arn = client.export_table_to_point_in_time(TableArn=table.table_arn, S3Bucket=bucket, S3Prefix="tour")["ExportDescription"]["ExportArn"]
client.get_waiter("export_completed").wait(ExportArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
export = client.describe_export(ExportArn=arn)["ExportDescription"]
listed = client.list_exports(TableArn=table.table_arn)["ExportSummaries"]
seen["export"] = [export["ExportStatus"], export["ItemCount"], len(listed), listed[0]["ExportType"]]
print(json.dumps(seen))
