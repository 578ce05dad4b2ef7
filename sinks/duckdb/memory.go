//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// initialMemory returns the memory that DuckDB has to begin with.
func initialMemory(cfg *Config, tables []*pipeline.Table) int64 {
	if cfg.MemoryLimit > 0 {
		return int64(cfg.MemoryLimit)
	}
	memory := int64(baseMemoryBytes)
	for _, t := range tables {
		memory += columnMemoryBytes * int64(len(t.Columns))
	}
	return memory
}

// shortages are what DuckDB says when its memory is used up: by the kind of the
// error, or, at COMMIT and at a checkpoint, inside of another one.
var shortages = []string{"Out of Memory Error", "could not allocate block", "failed to pin block", "failed to allocate data", "failed to offload data"}

func isShortage(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, s := range shortages {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// enlarge lets DuckDB have more memory after an error by which it has too little: a
// single thread first, which needs no buffers but its own, then twice the memory,
// unless the pipeline file limits it, up to half of what there is. It opens the file anew, since
// a shortage at COMMIT leaves DuckDB with nothing it would do. False = there is no
// more, or it is not about memory.
func (d *database) enlarge(ctx context.Context, err error) (bool, error) {
	if !isShortage(err) || ctx.Err() != nil {
		return false, nil
	}
	switch {
	case d.threads > 1:
		d.threads = 1
	case d.cfg.MemoryLimit == 0 && d.memory < d.memoryMax:
		d.memory = min(2*d.memory, d.memoryMax)
	default:
		return false, nil
	}
	path, err := disk.Canonical(d.cfg.DSN)
	if err != nil {
		return false, err
	}
	if err := d.Close(); err != nil && !isShortage(err) {
		return false, err
	}
	if err := d.connect(ctx, path); err != nil {
		return false, err
	}
	return true, nil
}

// readMemoryMax notes half of the memory that the machine has, or the container, as
// DuckDB, which would take four fifths, sees it before it has a limit.
func (d *database) readMemoryMax(ctx context.Context) error {
	var text string
	if err := d.db.QueryRowContext(ctx, "SELECT current_setting('memory_limit')").Scan(&text); err != nil {
		return fmt.Errorf("%s: %w", d.cfg.DSN, err)
	}
	d.memoryMax = parseMemory(text) / 8 * 5
	return nil
}

// parseMemory reads a size as DuckDB writes it: 18.6 GiB.
func parseMemory(text string) int64 {
	var n float64
	var unit string
	if _, err := fmt.Sscan(text, &n, &unit); err != nil {
		return 0
	}
	for i, u := range []string{"bytes", "KiB", "MiB", "GiB", "TiB"} {
		if unit == u {
			return int64(n * float64(int64(1)<<(10*i)))
		}
	}
	return 0
}

// explainShortage says of an error by which DuckDB has too little memory what to do.
func (d *database) explainShortage(err error) error {
	if !isShortage(err) {
		return err
	}
	columns := 0
	for _, t := range d.tables {
		columns += len(t.Columns)
	}
	enough := max(2*d.memory, initialMemory(&Config{}, d.tables)) >> 20
	return fmt.Errorf("%s: DuckDB has used up the %d MiB that it may take, for tables of %d columns: raise memory_limit of the sink, to %dMiB for one, and run; "+
		"where an epoch is large, epoch.max_bytes makes those to come smaller (%s)", d.cfg.DSN, d.memory>>20, columns, enough, firstLine(err))
}

// firstLine leaves out DuckDB's advice, which is about its own settings.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
