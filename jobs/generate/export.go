package generate

import (
	"bufio"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// exportTime is the moment whose items an export holds: before every stream.
var exportTime = time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC)

// exportLayout is how DynamoDB writes times in manifests.
const exportLayout = "2006-01-02T15:04:05.000Z"

// exportFile is a line of manifest-files.json.
type exportFile struct {
	ItemCount int    `json:"itemCount"`
	MD5       string `json:"md5Checksum"`
	ETag      string `json:"etag"`
	Key       string `json:"dataFileS3Key"`

	stats  Stats
	billed int64
}

// exportSummary is manifest-summary.json of a full export, in the order of
// DynamoDB, which does not name the type of those.
type exportSummary struct {
	Version       string  `json:"version"`
	ExportARN     string  `json:"exportArn"`
	StartTime     string  `json:"startTime"`
	EndTime       string  `json:"endTime"`
	TableARN      string  `json:"tableArn"`
	TableID       string  `json:"tableId"`
	ExportTime    string  `json:"exportTime"`
	Bucket        string  `json:"s3Bucket"`
	Prefix        *string `json:"s3Prefix"`
	SSEAlgorithm  string  `json:"s3SseAlgorithm"`
	SSEKMSKeyID   *string `json:"s3SseKmsKeyId"`
	ManifestFiles string  `json:"manifestFilesS3Key"`
	BilledBytes   int64   `json:"billedSizeBytes"`
	ItemCount     int     `json:"itemCount"`
	OutputFormat  string  `json:"outputFormat"`
}

// placement is where DynamoDB keeps an item: by the hash of its partition key,
// then by its sort key, which rank stands for.
type placement[T any] struct {
	hash, rank uint64
	ref        T
}

// scanOrder puts items in the order of a scan.
func scanOrder[T any](items []placement[T]) {
	slices.SortFunc(items, func(a, b placement[T]) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.rank, b.rank))
	})
}

// EcommerceExport writes a full export of the first Records items of the table
// below dir. An order's lines are seldom near its customer.
func EcommerceExport(ctx context.Context, dir string, o Options) (Stats, error) {
	stats := Stats{Kind: "ecommerce", Form: "export", Items: map[string]int64{}}
	o, err := o.withDefaults(defaultItems, "ecommerce")
	if err != nil {
		return stats, err
	}
	s := newShop(o)
	return stats, writeExport(ctx, dir, o, s.placements(o.Records), &stats, func(it *item, r *ref) string {
		s.render(it, r, 0)
		return r.itemType()
	})
}

// renderer makes an item, and returns its type.
type renderer[T any] func(*item, *T) string

// writeExport lays a full export of items out as DynamoDB does, below dir:
// AWSDynamoDB/<ExportId>/ with data files, manifests and checksums. Each file
// holds a range of the partition keys' hashes. The manifest that readers start
// with is written last. The items are the same on every platform; the files'
// bytes change with the version of the compression library.
func writeExport[T any](ctx context.Context, dir string, o Options, items []placement[T], stats *Stats, render renderer[T]) error {
	ids := derive(o.Seed, domainExport, o.Records, o.Files)
	exportID := fmt.Sprintf("%014d-%08x", exportTime.UnixMilli(), uint32(ids.next()))
	root := path.Join("AWSDynamoDB", exportID)
	stats.Folder = filepath.Join(dir, filepath.FromSlash(root))
	if err := os.MkdirAll(filepath.Join(stats.Folder, "data"), 0o755); err != nil {
		return fmt.Errorf("export folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(stats.Folder, "_started"), nil, 0o644); err != nil {
		return fmt.Errorf("export folder: %w", err)
	}

	files := make([]exportFile, o.Files)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		f := &files[i]
		f.Key = root + "/data/" + fileName(&ids) + ".json.gz"
		part := items
		if i < o.Files-1 {
			limit := uint64(i+1) * (^uint64(0)/uint64(o.Files) + 1)
			n, _ := slices.BinarySearchFunc(items, limit, func(p placement[T], limit uint64) int { return cmp.Compare(p.hash, limit) })
			part, items = items[:n], items[n:]
		}
		group.Go(func() error { return writeDataFile(ctx, f, o, dir, part, render) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return writeManifests(dir, root, o.Table, files, ids, stats)
}

// placements lists the table's first n items in the order of a scan.
func (s *shop) placements(n int) []placement[ref] {
	items := make([]placement[ref], 0, n)
	s.walk(n, func(r ref) bool {
		p := placement[ref]{ref: r}
		if r.line < 0 {
			p.hash = scramble(s.seed + scramble(2*uint64(r.order.customer)))
			p.rank = uint64(r.line+2) * uint64(r.order.number+1)
		} else {
			p.hash = scramble(s.seed + scramble(2*(uint64(r.order.customer)<<16|uint64(r.order.number))+1))
			p.rank = uint64(r.line)
		}
		items = append(items, p)
		return true
	})
	scanOrder(items)
	return items
}

func fileName(r *source) string {
	name := make([]byte, 26)
	for i := range name {
		name[i] = "abcdefghijklmnopqrstuvwxyz234567"[r.below(32)]
	}
	return string(name)
}

// writeDataFile writes the data file with the given items.
func writeDataFile[T any](ctx context.Context, f *exportFile, o Options, dir string, items []placement[T], render renderer[T]) (err error) {
	file, err := os.Create(filepath.Join(dir, filepath.FromSlash(f.Key)))
	if err != nil {
		return fmt.Errorf("export file: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("export file: %w", cerr)
		}
	}()
	sum := md5.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(file, sum), blockBytes)
	zip := gzip.NewWriter(buffered)
	out := newLines(ctx, zip)
	f.stats.Items = map[string]int64{}
	var it item
	for i := range items {
		f.stats.Items[render(&it, &items[i].ref)]++
		f.billed += int64(it.size)
		out.buf = appendItemLine(out.buf, &it, o.attributeOrder(items[i].hash+items[i].rank))
		if !out.end() {
			break
		}
	}
	if err := out.finish(&f.stats); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("export file: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("export file: %w", err)
	}
	digest := sum.Sum(nil)
	f.ItemCount = len(items)
	f.MD5, f.ETag = base64.StdEncoding.EncodeToString(digest), hex.EncodeToString(digest)+"-1"
	return nil
}

// writeManifests writes the manifests of the files, and adds the files' figures
// to stats.
func writeManifests(dir, root, table string, files []exportFile, ids source, stats *Stats) error {
	var list []byte
	var billed int64
	for i := range files {
		f := &files[i]
		line, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("export manifest: %w", err)
		}
		list = append(append(list, line...), '\n')
		billed += f.billed
		stats.Records += f.stats.Records
		stats.Bytes += f.stats.Bytes
		for name, n := range f.stats.Items {
			stats.Items[name] += n
		}
	}
	arn := "arn:aws:dynamodb:us-east-1:123456789012:table/" + table
	tableID := ids.uuid()
	summary, err := json.Marshal(exportSummary{
		Version: "2020-06-30", ExportARN: arn + "/export/" + path.Base(root),
		StartTime: exportTime.Format(exportLayout), EndTime: exportTime.Add(5 * time.Minute).Format(exportLayout),
		TableARN: arn, TableID: string(tableID[:]), ExportTime: exportTime.Format(exportLayout),
		Bucket: "example-export-bucket", SSEAlgorithm: "AES256",
		ManifestFiles: path.Join(root, "manifest-files.json"), BilledBytes: billed,
		ItemCount: int(stats.Records), OutputFormat: "DYNAMODB_JSON",
	})
	if err != nil {
		return fmt.Errorf("export manifest: %w", err)
	}
	for _, m := range []struct {
		name string
		data []byte
	}{{"manifest-files", list}, {"manifest-summary", summary}} {
		digest := md5.Sum(m.data)
		base := filepath.Join(dir, filepath.FromSlash(root), m.name)
		if err := os.WriteFile(base+".md5", []byte(base64.StdEncoding.EncodeToString(digest[:])), 0o644); err != nil {
			return fmt.Errorf("export manifest: %w", err)
		}
		if err := os.WriteFile(base+".json", m.data, 0o644); err != nil {
			return fmt.Errorf("export manifest: %w", err)
		}
	}
	return nil
}
