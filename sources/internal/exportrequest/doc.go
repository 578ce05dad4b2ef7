// Package exportrequest asks DynamoDB for exports of a table to S3, and waits for them.
//
// # Asked once
//
// An export costs money, and a full one takes long: it must not be asked for again because an answer
// was lost or the process was killed behind the call. So the caller saves a [Request] before
// the first call, and gives the same one to [Client.Ask] until it has saved the ARN that comes of
// it. Ask first looks whether the service has that export (ListExports, DescribeExport), then
// calls with a client token, which makes calls of the next 8 hours that are equal one.
// An export is known again by the token. One of a time or window that is given is known by that and its place too,
// whoever asked for it: it has the same content.
//
// Exports that have failed are never found: who asks again raises Request.Attempt.
//
// # Times
//
// Windows of incremental exports are whole seconds, 15 minutes to 24 hours, with the begin in them
// and the end not ([WindowMin], [WindowMax]). They have to lie between [Recovery].Earliest and
// Latest, which is some five minutes ago: what is newer may not have reached the backup that
// exports are made of.
//
// Sources: "Requesting a table export in DynamoDB", "DynamoDB data export to Amazon S3" of the
// developer guide; ExportTableToPointInTime, DescribeExport, ListExports and
// DescribeContinuousBackups of the API reference.
package exportrequest
