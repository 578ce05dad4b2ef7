package export

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

const (
	summaryName = "manifest-summary"
	filesName   = "manifest-files"

	full        = "FULL_EXPORT"
	incremental = "INCREMENTAL_EXPORT"
)

var (
	// versions are those of manifest-summary.json that can be read: of full and
	// of incremental exports.
	versions = []string{"2020-06-30", "2023-08-01"}
	views    = []string{"", "NEW_IMAGE", "NEW_IMAGES", "NEW_AND_OLD_IMAGES"}
	// checksums are the ends of the names of a manifest's checksums.
	checksums = []string{".md5", ".checksum"}
)

// Export is an export whose manifests were checked.
type Export struct {
	ID       string
	Folder   string // holds the manifests
	TableARN string
	TableID  string // of the table, and not of one that had its name before or after; empty = it does not say
	// Incremental says that the export has what changed from From on and before
	// To. A full one has From and To at its time. Both are zero of an incremental
	// export that does not say them.
	Incremental bool
	From, To    time.Time
	Files       []*DataFile // by key

	summary []byte
	root    string // where it was looked for
	files   *listing.Tree
}

// DataFile is a file of an export's items, as the manifest lists it.
type DataFile struct {
	Items int64  `json:"itemCount"`
	MD5   string `json:"md5Checksum"`
	Key   string `json:"dataFileS3Key"`
}

// Table returns the name of the exported table.
func (e *Export) Table() string {
	_, name, _ := strings.Cut(e.TableARN, ":table/")
	return name
}

// Partition names a data file among those of all exports. A key that lies in a
// folder shared by exports does not say which export it is of.
func (e *Export) Partition(f *DataFile) string {
	if slices.Contains(strings.Split(f.Key, "/"), e.ID) {
		return f.Key
	}
	return e.ID + ":" + f.Key
}

// String names the export in messages.
func (e *Export) String() string {
	kind := "full export"
	if e.Incremental {
		kind = "incremental export"
	}
	return kind + " " + e.Folder
}

// items counts the export's items.
func (e *Export) items() (n int64) {
	for _, f := range e.Files {
		n += f.Items
	}
	return n
}

// summary is manifest-summary.json.
type summary struct {
	Version       string    `json:"version"`
	ExportARN     string    `json:"exportArn"`
	TableARN      string    `json:"tableArn"`
	TableID       string    `json:"tableId"`
	ExportTime    time.Time `json:"exportTime"`
	FromTime      time.Time `json:"exportFromTime"`
	ToTime        time.Time `json:"exportToTime"`
	ManifestFiles string    `json:"manifestFilesS3Key"`
	ItemCount     int64     `json:"itemCount"`
	OutputFormat  string    `json:"outputFormat"`
	OutputView    string    `json:"outputView"`
	ExportType    string    `json:"exportType"`
}

// read returns the export whose manifests are in the folder.
func read(ctx context.Context, files *listing.Tree, folder, root string) (*Export, error) {
	name, data, err := readManifest(ctx, files, folder, summaryName)
	if err != nil {
		return nil, err
	}
	var s summary
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %s: copy it again", name, plainJSON(err))
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	e := &Export{Folder: folder, TableARN: s.TableARN, TableID: s.TableID, Incremental: s.incremental(), summary: data, root: root, files: files}
	if e.From, e.To = s.ExportTime, s.ExportTime; e.Incremental {
		e.From, e.To = s.FromTime, s.ToTime
	}
	if e.Files, err = readFiles(ctx, files, folder, s.ItemCount); err != nil {
		return nil, err
	}
	e.ID = s.id(e)
	return e, nil
}

// incremental reports whether the export is one: full ones do not name their type.
func (s *summary) incremental() bool {
	return s.ExportType == incremental || s.ExportType == "" && s.ExportTime.IsZero() && !s.FromTime.IsZero()
}

// id returns the export's id, which its folder has for a name at first.
func (s *summary) id(e *Export) string {
	if _, id, ok := strings.Cut(s.ExportARN, "/export/"); ok && id != "" {
		return id
	}
	if id := path.Base(path.Dir(s.ManifestFiles)); exportID.MatchString(id) {
		return id
	}
	if len(e.Files) > 0 {
		if id := path.Base(path.Dir(path.Dir(e.Files[0].Key))); exportID.MatchString(id) {
			return id
		}
	}
	return filepath.Base(e.files.Abs(e.Folder))
}

func (s *summary) check() error {
	switch {
	case !slices.Contains(versions, s.Version):
		return fmt.Errorf("version %q: only exports of the versions %s can be read", s.Version, strings.Join(versions, " and "))
	case s.OutputFormat != "DYNAMODB_JSON":
		return fmt.Errorf("outputFormat %q: only DYNAMODB_JSON can be read: export the table again in that format (--export-format DYNAMODB_JSON), "+
			"and take this export out of the path", s.OutputFormat)
	case s.ExportType != "" && s.ExportType != full && s.ExportType != incremental:
		return fmt.Errorf("exportType %q: only %s and %s can be read", s.ExportType, full, incremental)
	case !s.incremental() && s.ExportTime.IsZero():
		return errors.New("exportTime is missing: it is the version of every item")
	case !s.incremental():
		return nil
	case !slices.Contains(views, s.OutputView):
		return fmt.Errorf("outputView %q: only NEW_IMAGE and NEW_AND_OLD_IMAGES can be read", s.OutputView)
	case s.FromTime.IsZero() != s.ToTime.IsZero() || s.ToTime.Before(s.FromTime):
		return errors.New("exportFromTime and exportToTime make no sense: copy it again")
	}
	return nil
}

// readFiles returns the data files that the manifest lists, by their keys.
func readFiles(ctx context.Context, files *listing.Tree, folder string, total int64) ([]*DataFile, error) {
	name, data, err := readManifest(ctx, files, folder, filesName)
	if err != nil {
		return nil, err
	}
	var listed []*DataFile
	var items int64
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		f := &DataFile{Items: -1}
		if err := json.Unmarshal(line, f); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: copy it again", name, number, plainJSON(err))
		}
		if f.Items < 0 || f.MD5 == "" || !filepath.IsLocal(filepath.FromSlash(f.Key)) {
			return nil, fmt.Errorf("%s:%d: itemCount, md5Checksum or dataFileS3Key is missing or makes no sense: copy it again", name, number)
		}
		items += f.Items
		listed = append(listed, f)
	}
	if items != total {
		return nil, fmt.Errorf("%s: its files have %d items, but %s.json says %d: copy both again", name, items, summaryName, total)
	}
	slices.SortFunc(listed, func(a, b *DataFile) int { return cmp.Compare(a.Key, b.Key) })
	for i := range listed[:max(len(listed)-1, 0)] {
		if listed[i].Key == listed[i+1].Key {
			return nil, fmt.Errorf("%s: lists %s twice: copy it again", name, listed[i].Key)
		}
	}
	return listed, nil
}

// readManifest returns a manifest, checked against each checksum that is there.
func readManifest(ctx context.Context, files *listing.Tree, folder, base string) (name string, data []byte, err error) {
	name = files.Join(folder, base+".json")
	data, err = files.ReadAll(ctx, name)
	if err != nil {
		return "", nil, fmt.Errorf("export: %w: copy the whole export again", err)
	}
	sum := md5.Sum(data)
	for _, end := range checksums {
		want, err := files.ReadAll(ctx, files.Join(folder, base+end))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("export: %w", err)
		}
		if !SameMD5(sum[:], string(want)) {
			return "", nil, fmt.Errorf("%s: its MD5 is %s, but %s says %.100s: copy both again",
				name, TextOfMD5(sum[:]), base+end, bytes.TrimSpace(want))
		}
	}
	return name, data, nil
}

// TextOfMD5 writes an MD5 as manifests do.
func TextOfMD5(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// SameMD5 reports whether a text says the MD5: in base64, as DynamoDB writes it,
// or in hexadecimal digits; what follows a blank, as md5sum's file names, is left out.
func SameMD5(sum []byte, text string) bool {
	fields := strings.Fields(text)
	return len(fields) > 0 && (fields[0] == TextOfMD5(sum) || strings.EqualFold(fields[0], hex.EncodeToString(sum)))
}

// TagSaysMD5 reports whether the entity tag of an object on S3 says that its content has an
// MD5. Of an object that was written in one request, and not encrypted with a key of the
// customer, the tag is the MD5; of one that was uploaded in one part, as DynamoDB does it, it
// is that of the MD5's bytes, and "-1": the example of a manifest in the DynamoDB manual
// ("DynamoDB table export output format") has both. Of other objects the tag says nothing.
func TagSaysMD5(tag, text string) bool {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(sum) != md5.Size {
		return false
	}
	tag = strings.ToLower(strings.Trim(tag, `"`))
	ofSum := md5.Sum(sum)
	return tag == hex.EncodeToString(sum) || tag == hex.EncodeToString(ofSum[:])+"-1"
}

// plainJSON says what is wrong with a text that is not the JSON it should be.
func plainJSON(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON from byte %d on", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%s is a %s, which it can't be", kind.Field, kind.Value)
	}
	return "a value can't be read: " + err.Error()
}
