// Package dynamodbexport reads exports of a DynamoDB table on S3, asks DynamoDB for them, and
// follows a table by incremental exports on a schedule.
//
// Reading them is package file's (dynamodb_export). What is here is where they come from: a
// full export that backfill --request-export asks for, and the incremental ones of every, whose
// windows meet exactly.
package dynamodbexport
