// Package zone loads time zones from the IANA database in the binary: whatever
// host it runs on, a zone has the same rules, and the host's own zone plays no part.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Go's own copy of the database, whose files are stored uncompressed.
//
//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" ."
//go:embed zoneinfo.zip
var database []byte

var files = sync.OnceValue(func() *zip.Reader {
	r, err := zip.NewReader(bytes.NewReader(database), int64(len(database)))
	if err != nil {
		panic(fmt.Sprintf("zone: the database in the binary: %v", err))
	}
	return r
})

// Load returns the zone with an IANA name, as Europe/Berlin. The error names it.
func Load(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	var data []byte
	f, err := files().Open(name)
	if err == nil {
		data, err = io.ReadAll(f)
	}
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: want a name of the IANA database, as Europe/Berlin or UTC", name)
	}
	return time.LoadLocationFromTZData(name, data)
}

// Names returns the names of all zones, sorted.
func Names() []string {
	var all []string
	for _, f := range files().File {
		if !strings.HasSuffix(f.Name, "/") {
			all = append(all, f.Name)
		}
	}
	slices.Sort(all)
	return all
}
