package status

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// A running pipeline can be asked for its status at a socket in its state folder, whether it
// has http.listen or not. The process has locked the state folder when it makes the socket, so
// a socket that is there already was left by a process that is gone.
const (
	// SocketName is the name of the socket in the state folder.
	SocketName = "status.sock"
	// socketFolderPrefix begins the names of the folders in which sockets are made before they
	// are renamed to SocketName: nobody else can open them there until their mode is set.
	socketFolderPrefix = ".status-"
	// socketPathBytesMax is the longest path that a socket can have everywhere: the
	// systems take 104 bytes or 108, with a zero at the end.
	socketPathBytesMax = 103
)

// Socket is a socket in a state folder.
type Socket struct {
	net.Listener
	path string
	made fs.FileInfo
}

// ListenSocket makes the socket of a state folder, for its owner only.
func ListenSocket(dir string) (s *Socket, err error) {
	left, err := os.ReadDir(dir)
	for _, old := range left {
		if strings.HasPrefix(old.Name(), socketFolderPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, old.Name())))
		}
	}
	if err != nil {
		return nil, err
	}
	room, err := os.MkdirTemp(dir, socketFolderPrefix)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(room)) }()
	path := filepath.Join(room, "s")
	var l *net.UnixListener
	err = withShortPath(path, func(short string) error {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it is renamed, and Close removes it under that name
	s = &Socket{Listener: l, path: filepath.Join(dir, SocketName)}
	if err := errors.Join(os.Chmod(path, 0o600), os.Rename(path, s.path)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if s.made, err = os.Lstat(s.path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

// Close closes the socket and removes it, unless another process has made its own there since
// the state folder was unlocked.
func (s *Socket) Close() error {
	err := s.Listener.Close()
	if there, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(there, s.made) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// withShortPath calls do with a path to the same file that is short enough for a socket. A long
// path is shortened by a symbolic link to the folder, which is removed when do returns.
func withShortPath(path string, do func(short string) error) (err error) {
	if len(path) <= socketPathBytesMax {
		return do(path)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	temporary := os.TempDir()
	if len(temporary) > socketPathBytesMax/2 {
		temporary = "/tmp"
	}
	room, err := os.MkdirTemp(temporary, "starlift-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(room)) }()
	link := filepath.Join(room, "d")
	if err := os.Symlink(dir, link); err != nil {
		return err
	}
	short := filepath.Join(link, filepath.Base(path))
	if len(short) > socketPathBytesMax {
		return fmt.Errorf("its path is too long for a socket: %s", short)
	}
	return do(short)
}

// dialSocket connects to the socket of a state folder.
func dialSocket(dir string) (c net.Conn, err error) {
	err = withShortPath(filepath.Join(dir, SocketName), func(short string) error {
		c, err = net.DialTimeout("unix", short, askTimeout)
		return err
	})
	return c, err
}
