// Package manifest reads the manifests that name what a COPY loads
// (dg/loading-data-files-using-manifest) and writes those of an UNLOAD
// (dg/r_UNLOAD, MANIFEST).
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// MaxBytes is how long a manifest may be.
const MaxBytes = 256 << 20

// Entry is a file to load.
type Entry struct {
	URL       string
	Mandatory bool
	// ContentLength is the file's size in bytes; nil = the entry does not say it.
	ContentLength *int64
	// Meta tells whether the entry has a member "meta", whatever is in it.
	Meta bool
}

// Read parses a manifest. The error is a *pgconn.PgError, or r's own.
func Read(r io.Reader, query int64) ([]Entry, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	malformed := func() error {
		return failed("Manifest file is not in correct json format.", query)
	}
	if len(text) > MaxBytes {
		return nil, failed(fmt.Sprintf("Manifest file exceeds the maximum size of %d bytes", MaxBytes), query)
	}
	var file struct {
		Entries []struct {
			URL       *string         `json:"url"`
			Mandatory bool            `json:"mandatory"`
			Meta      json.RawMessage `json:"meta"`
		} `json:"entries"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&file); err != nil {
		return nil, malformed()
	}
	if _, err := d.Token(); err != io.EOF || file.Entries == nil {
		return nil, malformed()
	}
	entries := make([]Entry, 0, len(file.Entries))
	for _, e := range file.Entries {
		if e.URL == nil || *e.URL == "" {
			return nil, Missing(query)
		}
		entry := Entry{URL: *e.URL, Mandatory: e.Mandatory}
		if len(e.Meta) > 0 && !bytes.Equal(e.Meta, []byte("null")) {
			var meta struct {
				ContentLength *int64 `json:"content_length"`
			}
			if err := json.Unmarshal(e.Meta, &meta); err != nil {
				return nil, malformed()
			}
			entry.Meta, entry.ContentLength = true, meta.ContentLength
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// Missing is the failure of an entry without a URL, or whose file is mandatory and is not
// there.
func Missing(query int64) error {
	return failed("Mandatory url is not present in manifest file.", query)
}

// CheckColumnar fails a Parquet load whose manifest does not say a file's size, or says it
// wrongly: the scanner trusts it for the place of the footer. The size is the object's.
func (e Entry) CheckColumnar(size, query int64) error {
	if !e.Meta {
		return columnar("File entry does not have 'meta' key.", query)
	}
	if e.ContentLength == nil {
		return columnar("File entry does not have 'content_length' key.", query)
	}
	if *e.ContentLength != size {
		return failure.Block{
			Message: "HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable",
			Code:    15001, Context: "S3 key being read : " + e.URL, Query: query,
			Location: "dory_util.cpp:945", Process: "fetchtask_thread [pid=19465]",
		}.Error()
	}
	return nil
}

func failed(message string, query int64) error {
	return failure.Block{
		Message: message, Code: 8001, Query: query,
		Location: "s3_utility.cpp:284", Process: "padbmaster [pid=12345]",
	}.Error()
}

func columnar(message string, query int64) error {
	return failure.Block{
		Message: message, Code: 15003, Query: query,
		Location: "spectrum_manifest.cpp:204", Process: "padbmaster [pid=17049]",
	}.Error()
}
