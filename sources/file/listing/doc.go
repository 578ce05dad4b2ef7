// Package listing finds files by path and pattern, in folders of the local disk and
// under the URLs of object stores alike.
//
// A [Tree] knows which store a path leads to, and looks at stores by package blob only.
// It lists one folder after another, so that a folder that can't be read hides nothing
// of the others, and a pattern does not look into those that it can't match.
//
// What only a local disk has shows in an [Entry], if the store says it: that a name is
// a symbolic link, and the fs.FileInfo with device and inode. Links to folders are
// followed, but not back to a folder that they are in. In an object store a folder is
// what the names of some objects begin with: there are no empty ones.
package listing
