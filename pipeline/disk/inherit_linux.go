package disk

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Inherits reports whether what is made in a folder gets a group or a list of access from
// it, which a file that is moved there does not.
func Inherits(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	size, err := unix.Getxattr(dir, "system.posix_acl_default", nil)
	return info.Mode()&fs.ModeSetgid != 0 || err == nil && size > 0
}
