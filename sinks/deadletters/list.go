package deadletters

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Each calls f for every dead letter of the folder, oldest file first, with
// its id: the file's name and the line in it. It ends early with f's error.
func Each(dir string, f func(id string, l *Letter) error) error {
	names, err := list(dir, func(name string) bool { return strings.HasSuffix(name, suffix) })
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := eachOf(name, f); err != nil {
			return err
		}
	}
	return nil
}

func eachOf(name string, f func(string, *Letter) error) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		l := &Letter{}
		if err := json.Unmarshal(line, l); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if err := f(fmt.Sprintf("%s:%d", filepath.Base(name), n), l); err != nil {
			return err
		}
	}
}
