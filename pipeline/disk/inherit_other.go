//go:build !linux

package disk

import (
	"io/fs"
	"os"
)

// Inherits reports whether what is made in a folder gets a group from it, which a file
// that is moved there does not.
func Inherits(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&fs.ModeSetgid != 0
}
