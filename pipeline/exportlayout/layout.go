// Package exportlayout writes exports of DynamoDB tables to S3 as the service lays them out: data
// files of compressed lines, and manifests that say what they hold, each with its MD5 beside it. Sample
// data and the fake of the service are written with it.
//
// The service's layout is at
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html.
// It is only written here: who reads exports must not take our word for what they look like.
package exportlayout

import (
	"bufio"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Root is the folder, below the prefix of an export, of all that DynamoDB writes.
const Root = "AWSDynamoDB"

// Versions of the layout, by the kind of an export.
const (
	FullVersion        = "2020-06-30"
	IncrementalVersion = "2023-08-01"
)

// ID returns the id of an export, by when it was started and a number that tells it from
// others of that millisecond.
func ID(started time.Time, random uint32) string {
	return fmt.Sprintf("%014d-%08x", started.UnixMilli(), random)
}

// Time writes a time as manifests do; the zero time is "".
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Summary is manifest-summary.json, in the order of DynamoDB.
type Summary struct {
	Version        string  `json:"version"`
	ExportARN      string  `json:"exportArn"`
	StartTime      string  `json:"startTime"`
	EndTime        string  `json:"endTime"`
	TableARN       string  `json:"tableArn"`
	TableID        string  `json:"tableId"`
	ExportTime     string  `json:"exportTime,omitempty"`     // of full exports only
	ExportFromTime string  `json:"exportFromTime,omitempty"` // of incremental ones only
	ExportToTime   string  `json:"exportToTime,omitempty"`   // likewise
	Bucket         string  `json:"s3Bucket"`
	Prefix         *string `json:"s3Prefix"`
	SSEAlgorithm   string  `json:"s3SseAlgorithm"`
	SSEKMSKeyID    *string `json:"s3SseKmsKeyId"`
	ManifestFiles  string  `json:"manifestFilesS3Key"`
	BilledBytes    int64   `json:"billedSizeBytes"`
	ItemCount      int64   `json:"itemCount"`
	OutputFormat   string  `json:"outputFormat"`
	OutputView     string  `json:"outputView,omitempty"` // of incremental ones only
	ExportType     string  `json:"exportType,omitempty"` // likewise
}

// File is a line of manifest-files.json.
type File struct {
	ItemCount int64  `json:"itemCount"`
	MD5       string `json:"md5Checksum"`
	ETag      string `json:"etag"`
	Key       string `json:"dataFileS3Key"`
}

// DataFile compresses the lines of a data file on their way to where it is kept.
type DataFile struct {
	key    string
	sum    hash.Hash
	blocks *bufio.Writer
	zip    *gzip.Writer
}

// blockBytes is how much is gathered before it is written.
const blockBytes = 1 << 20

// NewDataFile returns the writer of the data file of a key. The bytes that w gets change with the
// version of the compression library.
func NewDataFile(w io.Writer, key string) *DataFile {
	f := &DataFile{key: key, sum: md5.New()}
	f.blocks = bufio.NewWriterSize(io.MultiWriter(w, f.sum), blockBytes)
	f.zip = gzip.NewWriter(f.blocks)
	return f
}

// Write implements io.Writer: it takes lines, in pieces of any size.
func (f *DataFile) Write(lines []byte) (int, error) { return f.zip.Write(lines) }

// Finish writes what is left, and returns what the manifest says of the file. items is how many lines
// it has. What was given to NewDataFile stays open.
func (f *DataFile) Finish(items int64) (File, error) {
	if err := f.zip.Close(); err != nil {
		return File{}, fmt.Errorf("data file: %w", err)
	}
	if err := f.blocks.Flush(); err != nil {
		return File{}, fmt.Errorf("data file: %w", err)
	}
	digest := f.sum.Sum(nil)
	return File{
		ItemCount: items, Key: f.key,
		MD5: base64.StdEncoding.EncodeToString(digest), ETag: hex.EncodeToString(digest) + "-1",
	}, nil
}

// Object is a small file of an export.
type Object struct {
	Name string // in the folder of the export
	Data []byte
}

// Manifests returns what is written once all data files are there, in this order: readers start
// with the last one.
func Manifests(s Summary, files []File) ([]Object, error) {
	var list []byte
	for i := range files {
		line, err := json.Marshal(&files[i])
		if err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		list = append(append(list, line...), '\n')
	}
	summary, err := json.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var objects []Object
	for _, m := range []struct {
		name string
		data []byte
	}{{"manifest-files", list}, {"manifest-summary", summary}} {
		digest := md5.Sum(m.data)
		objects = append(objects,
			Object{Name: m.name + ".md5", Data: []byte(base64.StdEncoding.EncodeToString(digest[:]))},
			Object{Name: m.name + ".json", Data: m.data})
	}
	return objects, nil
}

// fileLetters are those of the names of data files, which have nameLength of them.
const (
	fileLetters = "abcdefghijklmnopqrstuvwxyz234567"
	nameLength  = 26
)

// FileName returns the name of a data file. draw returns a number from 0 on and below n.
func FileName(draw func(n int) int) string {
	name := make([]byte, nameLength)
	for i := range name {
		name[i] = fileLetters[draw(len(fileLetters))]
	}
	return string(name) + ".json.gz"
}
