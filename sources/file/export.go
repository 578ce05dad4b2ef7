package file

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	summaryName  = "manifest-summary"
	filesName    = "manifest-files"
	knownVersion = "2020-06-30"
	// boundary is how much earlier than its time a full export is taken to be:
	// its edge is blurred, and any later event of the stream must win.
	boundary = 5 * time.Minute
)

// summary is manifest-summary.json.
type summary struct {
	Version      string    `json:"version"`
	TableARN     string    `json:"tableArn"`
	ExportTime   time.Time `json:"exportTime"`
	ItemCount    int64     `json:"itemCount"`
	OutputFormat string    `json:"outputFormat"`
	ExportType   string    `json:"exportType"`
}

// dataFile is a line of manifest-files.json.
type dataFile struct {
	ItemCount int64  `json:"itemCount"`
	MD5       string `json:"md5Checksum"`
	Key       string `json:"dataFileS3Key"`
}

// listExport reads an export's manifests, finishes the format, and returns the
// data files by their keys.
func (s *Source) listExport() ([]input, error) {
	folder, err := exportFolder(s.cfg.Path)
	if err != nil {
		return nil, err
	}
	sum, err := readSummary(folder)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(folder, sum)
	if err != nil {
		return nil, err
	}
	if s.format.Table == "" {
		_, s.format.Table, _ = strings.Cut(sum.TableARN, ":table/")
	}
	if sum.ExportType != "INCREMENTAL_EXPORT" {
		s.format.ExportTime = sum.ExportTime.Add(-boundary).UnixMicro()
	}
	var inputs []input
	var errs []error
	for _, f := range files {
		at, err := f.find(folder)
		if err != nil {
			errs = append(errs, err)
			if len(errs) == listed {
				break
			}
		}
		inputs = append(inputs, input{partition: f.Key, path: at, items: f.ItemCount, md5: f.MD5})
	}
	return inputs, errors.Join(errs...)
}

// exportFolder returns the folder below root that holds the manifests.
func exportFolder(root string) (string, error) {
	info, err := os.Stat(root)
	if err != nil {
		return "", transient(fmt.Errorf("export: %w", err))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("export %s: not a folder: give the folder that holds %s.json", root, summaryName)
	}
	var found []string
	for _, below := range [][]string{{}, {"*"}, {"AWSDynamoDB", "*"}} {
		names, err := matches(root, below)
		if err != nil {
			return "", transient(fmt.Errorf("export %s: %w", root, err))
		}
		if len(below) == 0 && len(names) == 1 {
			return root, nil
		}
		found = append(found, names...)
	}
	switch len(found) {
	case 1:
		return filepath.Dir(found[0]), nil
	case 0:
		return "", fmt.Errorf("export %s: no %s.json there, nor in AWSDynamoDB/<export>: the export is not finished, was not copied whole, or the path is not its folder", root, summaryName)
	}
	return "", fmt.Errorf("export %s: holds several exports, give one of them as path: %s", root,
		strings.Join(found[:min(len(found), listed)], ", "))
}

// matches returns the summaries of exports in the folders below root, as fs.Glob
// finds them: a root with wildcards in its name is safe.
func matches(root string, below []string) ([]string, error) {
	names, err := fs.Glob(os.DirFS(root), path.Join(append(below, summaryName+".json")...))
	for i, name := range names {
		names[i] = filepath.Join(root, filepath.FromSlash(name))
	}
	return names, err
}

func readSummary(folder string) (*summary, error) {
	name, data, err := readManifest(folder, summaryName)
	if err != nil {
		return nil, err
	}
	var sum summary
	if err := json.Unmarshal(data, &sum); err != nil {
		return nil, fmt.Errorf("%s: %w: copy it again", name, err)
	}
	switch {
	case sum.Version != knownVersion:
		return nil, fmt.Errorf("%s: version %q: only exports of version %s can be read", name, sum.Version, knownVersion)
	case sum.OutputFormat != "DYNAMODB_JSON":
		return nil, fmt.Errorf("%s: outputFormat %q: only DYNAMODB_JSON can be read: export the table again in that format", name, sum.OutputFormat)
	case sum.ExportType != "" && sum.ExportType != "FULL_EXPORT" && sum.ExportType != "INCREMENTAL_EXPORT":
		return nil, fmt.Errorf("%s: exportType %q: only FULL_EXPORT and INCREMENTAL_EXPORT can be read", name, sum.ExportType)
	case sum.ExportType != "INCREMENTAL_EXPORT" && sum.ExportTime.IsZero():
		return nil, fmt.Errorf("%s: exportTime is missing: it is the version of every item", name)
	}
	return &sum, nil
}

// readFiles returns the data files that the manifest lists, by their keys.
func readFiles(folder string, sum *summary) ([]*dataFile, error) {
	name, data, err := readManifest(folder, filesName)
	if err != nil {
		return nil, err
	}
	var files []*dataFile
	var items int64
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if blank(line) {
			continue
		}
		f := &dataFile{ItemCount: -1}
		if err := json.Unmarshal(line, f); err != nil {
			return nil, fmt.Errorf("%s:%d: %w: copy it again", name, number, err)
		}
		if f.ItemCount < 0 || f.MD5 == "" || !filepath.IsLocal(filepath.FromSlash(f.Key)) {
			return nil, fmt.Errorf("%s:%d: itemCount, md5Checksum or dataFileS3Key is missing or makes no sense: copy it again", name, number)
		}
		items += f.ItemCount
		files = append(files, f)
	}
	if items != sum.ItemCount {
		return nil, fmt.Errorf("%s: its files have %d items, but %s.json says %d: copy both again", name, items, summaryName, sum.ItemCount)
	}
	slices.SortFunc(files, func(a, b *dataFile) int { return cmp.Compare(a.Key, b.Key) })
	for i := range files[:max(len(files)-1, 0)] {
		if files[i].Key == files[i+1].Key {
			return nil, fmt.Errorf("%s: lists %s twice: copy it again", name, files[i].Key)
		}
	}
	return files, nil
}

// readManifest returns a manifest, checked against its checksum if that is there.
func readManifest(folder, base string) (name string, data []byte, err error) {
	name = filepath.Join(folder, base+".json")
	data, err = os.ReadFile(name)
	if err != nil {
		return "", nil, transient(fmt.Errorf("export: %w: copy the whole export again", err))
	}
	want, err := os.ReadFile(filepath.Join(folder, base+".checksum"))
	if errors.Is(err, fs.ErrNotExist) {
		return name, data, nil
	}
	if err != nil {
		return "", nil, transient(fmt.Errorf("export: %w", err))
	}
	sum := md5.Sum(data)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != string(bytes.TrimSpace(want)) {
		return "", nil, fmt.Errorf("%s: its MD5 is %s, but %s.checksum says %s: copy both again", name, got, base, bytes.TrimSpace(want))
	}
	return name, data, nil
}

// find returns where the file lies: below the export's folder by the end of its
// key, or, as an incremental export's, in data/ next to that folder.
func (f *dataFile) find(folder string) (string, error) {
	var tried []string
	for rest := f.Key; rest != ""; {
		tried = append(tried, filepath.Join(folder, filepath.FromSlash(rest)))
		_, rest, _ = strings.Cut(rest, "/")
	}
	tried = append(tried, filepath.Join(folder, "..", "data", path.Base(f.Key)))
	for _, name := range tried {
		info, err := os.Stat(name)
		switch {
		case err == nil && info.Mode().IsRegular():
			return name, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", transient(fmt.Errorf("export data file: %w", err))
		}
	}
	return "", fmt.Errorf("%s: data file %s, which %s lists, is missing: copy it there", folder, f.Key, filesName+".json")
}

// verify compares the MD5 of the whole file with the manifest's, and places the
// file at its start.
func (in *input) verify(ctx context.Context, f *os.File) error {
	if in.md5 == "" {
		return nil
	}
	hash := md5.New()
	// Nothing is counted: progress means the reading, which follows.
	if _, err := io.CopyBuffer(hash, &counter{ctx: ctx, r: f}, make([]byte, readBytes)); err != nil {
		return transient(err)
	}
	if got := base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != in.md5 {
		return fmt.Errorf("%s: its MD5 is %s, but %s.json says %s: the file was altered or not copied whole: copy it again", in.path, got, filesName, in.md5)
	}
	_, err := f.Seek(0, io.SeekStart)
	return transient(err)
}
