package generate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline/exportlayout"
)

// exportTime is the moment whose items an export holds: before every stream.
var exportTime = time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC)

// exportFile is a data file, and what is counted in it.
type exportFile struct {
	exportlayout.File
	stats  Stats
	billed int64
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
	root := path.Join(exportlayout.Root, exportlayout.ID(exportTime, uint32(ids.next())))
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
		f.Key = root + "/data/" + exportlayout.FileName(ids.below)
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
	data := exportlayout.NewDataFile(file, f.Key)
	out := newLines(ctx, data)
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
	f.File, err = data.Finish(int64(len(items)))
	return err
}

// writeManifests writes the manifests of the files, and adds the files' figures
// to stats.
func writeManifests(dir, root, table string, files []exportFile, ids source, stats *Stats) error {
	var list []exportlayout.File
	var billed int64
	for i := range files {
		f := &files[i]
		list = append(list, f.File)
		billed += f.billed
		stats.Records += f.stats.Records
		stats.Bytes += f.stats.Bytes
		for name, n := range f.stats.Items {
			stats.Items[name] += n
		}
	}
	arn := "arn:aws:dynamodb:us-east-1:123456789012:table/" + table
	tableID := ids.uuid()
	// DynamoDB does not name the type of full exports.
	objects, err := exportlayout.Manifests(exportlayout.Summary{
		Version: exportlayout.FullVersion, ExportARN: arn + "/export/" + path.Base(root),
		StartTime: exportlayout.Time(exportTime), EndTime: exportlayout.Time(exportTime.Add(5 * time.Minute)),
		TableARN: arn, TableID: string(tableID[:]), ExportTime: exportlayout.Time(exportTime),
		Bucket: "example-export-bucket", SSEAlgorithm: "AES256",
		ManifestFiles: path.Join(root, "manifest-files.json"), BilledBytes: billed,
		ItemCount: stats.Records, OutputFormat: "DYNAMODB_JSON",
	}, list)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, o := range objects {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(root), o.Name), o.Data, 0o644); err != nil {
			return fmt.Errorf("export manifest: %w", err)
		}
	}
	return nil
}
