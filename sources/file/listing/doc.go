// Package listing finds files by path and pattern, in folders of the local disk and
// under the URLs of object stores alike.
//
// A [Tree] knows which store a path leads to, and looks at stores by package blob only.
// On a disk it lists one folder after another, so that a folder that can't be read hides
// nothing of the others, and a pattern does not look into those that it can't match. Of
// an object store it lists what begins with the pattern's text before its first
// wildcard ([Objects]): names are asked for by the thousand there, and folders one by one.
//
// What only a local disk has shows in an [Entry], if the store says it: that a name is
// a symbolic link, and the fs.FileInfo with device and inode. Links to folders are
// followed, but not back to a folder that they are in. In an object store a folder is
// what the names of some objects begin with: there are no empty ones, and an object whose
// name ends with a slash, as consoles make them, only shows that there is one.
package listing
