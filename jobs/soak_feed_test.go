package jobs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/jobs/generate"
)

// feed appends the changes of a shop to a log, in time. The shop grows to a number of
// items and stays there; with each write goes a change of the one marker, which counts
// them.
type feed struct {
	to     appender
	rate   int // changes a second
	live   int // items of the shop
	reader *process

	lines int64
	clock int64 // the newest time of a change, in µs
	began time.Time
	took  time.Duration

	mu      sync.Mutex
	markers []time.Time // when the append of each returned; zero = it has not yet
}

// appender is what a feed writes whole lines to.
type appender interface{ Append(lines []byte) error }

const (
	// rotateAt is the size at which a file is rotated.
	rotateAt = 16 << 20
	// appendEvery is the time from one write to the next.
	appendEvery = 20 * time.Millisecond
	// feedProducts is the size of the shop's catalogue.
	feedProducts = 500
)

// run writes changes.ndjson and truth.ndjson below dir as well.
func (f *feed) run(dir string, duration time.Duration) (err error) {
	pipe, w := io.Pipe()
	var generator sync.WaitGroup
	defer generator.Wait()
	defer pipe.Close()
	generator.Go(func() {
		_ = w.CloseWithError(f.generate(w, filepath.Join(dir, "truth.ndjson"), duration)) // it always returns nil
	})
	copied, err := os.Create(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	all := bufio.NewWriterSize(copied, 1<<20)
	if err := f.append(bufio.NewReaderSize(io.TeeReader(pipe, all), 1<<20)); err != nil {
		return err
	}
	return all.Flush()
}

func (f *feed) generate(w io.Writer, truth string, duration time.Duration) error {
	file, err := os.Create(truth)
	if err != nil {
		return err
	}
	left := bufio.NewWriter(file)
	_, err = generate.EcommerceCDC(context.Background(), w, left, generate.Options{Seed: 71, Records: int(duration.Seconds() * float64(f.rate)),
		Live: f.live, Products: feedProducts, Duplicates: 0.01, Late: 0.01, Rate: f.rate, Micros: true})
	return errors.Join(err, left.Flush(), file.Close())
}

// append appends what is due, each time with the marker behind it.
func (f *feed) append(lines *bufio.Reader) error {
	tick := time.NewTicker(appendEvery)
	defer tick.Stop()
	f.began = time.Now()
	defer func() { f.took = time.Since(f.began) }()
	written := 0
	var b bytes.Buffer
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-f.reader.done:
			return errors.New("nobody reads any more")
		}
		for due := int(time.Since(f.began).Seconds() * float64(f.rate)); written < due && !ended; written++ {
			line, err := lines.ReadSlice('\n')
			if err != nil && err != io.EOF {
				return err
			}
			b.Write(line)
			ended = err == io.EOF
			if err := f.tick(line); err != nil {
				return err
			}
		}
		f.mark(&b)
		if err := f.to.Append(b.Bytes()); err != nil {
			return err
		}
		f.marked()
		f.lines += int64(bytes.Count(b.Bytes(), []byte("\n")))
		b.Reset()
	}
	return nil
}

// tick moves the clock.
func (f *feed) tick(line []byte) error {
	_, rest, _ := bytes.Cut(line, []byte(`"ApproximateCreationDateTime":`))
	digits, _, found := bytes.Cut(rest, []byte(","))
	if !found {
		return nil // behind the last line
	}
	at, err := strconv.ParseInt(string(digits), 10, 64)
	f.clock = max(f.clock, at)
	return err
}

// mark adds the marker's next change, at the time of the newest change before: it
// must not run ahead of the others, which would be too late.
func (f *feed) mark(b *bytes.Buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.markers)
	const key = `"PK":{"S":"MARKER"},"SK":{"S":"MARKER"}`
	const image = `{` + key + `,"type":{"S":"marker"},"n":{"N":"%d"}}`
	event, images := "INSERT", fmt.Sprintf(`"NewImage":`+image, n)
	if n > 0 {
		event, images = "MODIFY", images+fmt.Sprintf(`,"OldImage":`+image, n-1)
	}
	fmt.Fprintf(b, `{"eventID":"marker%d","eventName":"%s","tableName":"ecommerce","dynamodb":{"ApproximateCreationDateTime":%d,`+
		`"ApproximateCreationDateTimePrecision":"MICROSECOND","Keys":{`+key+`},%s},"eventSource":"aws:dynamodb"}`+"\n", n, event, f.clock, images)
	f.markers = append(f.markers, time.Time{})
}

// marked notes that the newest marker is appended.
func (f *feed) marked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.markers[len(f.markers)-1] = time.Now()
}

// since returns how long ago the appends of the markers from one on to another returned, the
// latter included: 0 where it is seen before.
func (f *feed) since(from, to int64, now time.Time) (ages []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.markers[from : to+1] {
		if at.IsZero() {
			at = now
		}
		ages = append(ages, max(0, now.Sub(at)))
	}
	return ages
}

// rollingLog is a file in a folder, which is rotated when it is large.
type rollingLog struct {
	dir  string
	keep int // rotated files
	size int64
}

// Append implements appender.
func (l *rollingLog) Append(b []byte) error {
	path := filepath.Join(l.dir, "log")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	n, err := to.Write(b)
	if l.size += int64(n); l.size >= rotateAt {
		l.size = 0
		for i := l.keep; i > 0; i-- {
			from := path
			if i > 1 {
				from += "." + strconv.Itoa(i-1)
			}
			if e := os.Rename(from, path+"."+strconv.Itoa(i)); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return errors.Join(err, to.Close())
}
