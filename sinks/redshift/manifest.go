package redshift

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// manifest lists the objects that a COPY loads: each must be there, and has the length that
// is said, by which the scanner finds its end
// (https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html).
type manifest struct {
	Entries []manifestEntry `json:"entries"`
}

type manifestEntry struct {
	URL       string       `json:"url"`
	Mandatory bool         `json:"mandatory"`
	Meta      manifestMeta `json:"meta"`
}

type manifestMeta struct {
	ContentLength int64 `json:"content_length"`
}

// add adds an object.
func (m *manifest) add(url string, size int64) {
	m.Entries = append(m.Entries, manifestEntry{URL: url, Mandatory: true, Meta: manifestMeta{ContentLength: size}})
}

// text returns the manifest as it is stored. Nothing in urls is written as an escape that a
// simple reader of JSON may not know.
func (m *manifest) text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return b.Bytes(), nil
}
