"""Reads a whole table by boto3, and prints its items as DynamoDB's JSON, a line each.

Arguments: endpoint, table, how many segments are read side by side.
"""
import base64
import concurrent.futures
import json
import sys

import boto3


def plain(value):
    """base64 where there are bytes, as on the wire."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main():
    endpoint, table, segments = sys.argv[1], sys.argv[2], int(sys.argv[3])
    client = boto3.client("dynamodb", endpoint_url=endpoint)

    def read(segment):
        pages = client.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True, Segment=segment, TotalSegments=segments)
        return [json.dumps(plain(item), ensure_ascii=False) for page in pages for item in page["Items"]]

    with concurrent.futures.ThreadPoolExecutor(segments) as pool:
        for lines in pool.map(read, range(segments)):
            for line in lines:
                print(line)


main()
