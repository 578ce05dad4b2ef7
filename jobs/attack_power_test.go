//go:build linux

package jobs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A power cut takes what was not synced. To know what was, the process under
// attack asks the kernel to be told of each sync that it makes, whoever in it does
// (seccomp's user notification), and writes it down before the sync goes on. After
// the kill, cut takes from the files what no sync had reached.

// synced is one sync, as the process notes it.
type synced struct {
	Path  string            `json:"path"`
	Size  int64             `json:"size"`
	Inode uint64            `json:"inode"`
	Names map[string]uint64 `json:"names,omitempty"` // of a folder: the inodes of what is in it
}

// syncs are the system calls that sync a file.
var syncs = []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC}

// noteSyncs notes every sync of this process in a file from now on. At the nth it
// calls at, if that is more than 0.
func noteSyncs(file string, nth int, at func()) error {
	to, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	listener, err := listenToSyncs()
	if err != nil {
		return fmt.Errorf("the kernel does not tell of syncs: %w", err)
	}
	go func() {
		for n := 1; ; n++ {
			if err := oneSync(listener, to, n == nth, at); err != nil {
				fmt.Fprintln(os.Stderr, "noting syncs:", err)
				os.Exit(99)
			}
		}
	}()
	return nil
}

// listenToSyncs installs the filter in all threads, and returns what tells of calls.
func listenToSyncs() (int, error) {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the call's number
	for i, call := range syncs {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(syncs) - i)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// The kernel's struct seccomp_notif and seccomp_notif_resp.
type (
	syncCall struct {
		id         uint64
		pid, flags uint32
		number     int32
		arch       uint32
		at         uint64
		args       [6]uint64
	}
	syncAnswer struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
)

// oneSync waits for a sync, notes it, and lets it go on.
func oneSync(listener int, to *os.File, trapped bool, trap func()) error {
	var call syncCall
	if err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)); errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
		return nil
	} else if err != nil {
		return err
	}
	if trapped {
		trap()
	}
	if s, err := syncedOf(int(call.args[0])); err == nil { // else it is no file, or closed
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if _, err := to.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	answer := syncAnswer{id: call.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	if err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func syncedOf(fd int) (*synced, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	s := &synced{Path: path, Size: info.Size(), Inode: inodeOf(info)}
	if info.IsDir() {
		s.Names, err = namesIn(path)
	}
	return s, err
}

func inodeOf(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

func namesIn(dir string) (map[string]uint64, error) {
	entries, err := os.ReadDir(dir)
	names := map[string]uint64{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // it may go at any time
			names[e.Name()] = inodeOf(info)
		}
	}
	return names, err
}

// disk is what a power cut would leave of some folders.
type disk struct {
	roots []string
	files map[uint64]synced            // by inode
	names map[string]map[string]uint64 // by folder
}

// newDisk takes everything that is in the folders now as synced.
func newDisk(roots ...string) (*disk, error) {
	d := &disk{roots: roots, files: map[uint64]synced{}, names: map[string]map[string]uint64{}}
	return d, d.each(func(path string, info fs.FileInfo) (err error) {
		s := synced{Path: path, Size: info.Size(), Inode: inodeOf(info)}
		if info.IsDir() {
			s.Names, err = namesIn(path)
		}
		d.note(s)
		return err
	})
}

func (d *disk) note(s synced) {
	if d.files[s.Inode] = s; s.Names != nil {
		d.names[s.Path] = s.Names
	}
}

// kept is how much of a file was synced, which it may have been under another name. Its
// inode may have been another one's.
func (d *disk) kept(path string, inode uint64) int64 {
	s := d.files[inode]
	if s.Path == path || filepath.Dir(s.Path) == filepath.Dir(path) && strings.Contains(filepath.Base(s.Path), filepath.Base(path)) || moved(s.Path, path) {
		return s.Size
	}
	return 0
}

// moved reports whether a file of the lake may have been one of the spool.
func moved(from, to string) bool {
	return strings.Contains(from, "/spool/") && filepath.Ext(from) == ".parquet" && filepath.Ext(to) == ".parquet"
}

func (d *disk) each(do func(string, fs.FileInfo) error) error {
	for _, root := range d.roots {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err == nil {
				var info fs.FileInfo
				if info, err = e.Info(); err == nil {
					return do(path, info)
				}
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil // not there yet, or just taken away
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read takes what a process has synced.
func (d *disk) read(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s synced
		if json.Unmarshal(lines.Bytes(), &s) != nil {
			break // the kill cut it
		}
		if slices.ContainsFunc(d.roots, func(root string) bool { return s.Path == root || strings.HasPrefix(s.Path, root+"/") }) {
			d.note(s)
		}
	}
	return lines.Err()
}

// cut takes from the folders some or all of what was not synced: ends of files, and
// names. What is under a name that goes, goes with it.
func (d *disk) cut(random *rand.Rand, tell func(string, ...any)) error {
	return d.each(func(path string, info fs.FileInfo) error {
		dir, name := filepath.Split(path)
		if names := d.names[filepath.Clean(dir)]; names[name] != inodeOf(info) && !slices.Contains(d.roots, path) && random.IntN(3) > 0 {
			if old := nameOf(names, inodeOf(info), name); old != "" {
				tell("power cut: %s is %s again", path, old)
				return os.Rename(path, filepath.Join(dir, old))
			}
			if old := d.movedFrom(path, inodeOf(info)); old != "" {
				tell("power cut: %s is %s again", path, old)
				return os.Rename(path, old)
			}
			tell("power cut: %s was never there", path)
			return os.RemoveAll(path)
		}
		kept := d.kept(path, inodeOf(info))
		if info.IsDir() || info.Size() <= kept || random.IntN(4) == 0 {
			return nil
		}
		if random.IntN(3) == 0 {
			kept += random.Int64N(info.Size() - kept)
		}
		tell("power cut: %s has %d of %d bytes", path, kept, info.Size())
		return os.Truncate(path, kept)
	})
}

// movedFrom finds the path that a file had in another folder, as that was synced last.
func (d *disk) movedFrom(path string, inode uint64) string {
	for dir, names := range d.names {
		for name, of := range names {
			old := filepath.Join(dir, name)
			if _, err := os.Stat(dir); of == inode && err == nil && moved(old, path) {
				return old
			}
		}
	}
	return ""
}

// nameOf finds the name that a file had before it was renamed; it holds the new one.
func nameOf(names map[string]uint64, inode uint64, name string) string {
	for old, of := range names {
		if of == inode && old != name && strings.Contains(old, name) {
			return old
		}
	}
	return ""
}
