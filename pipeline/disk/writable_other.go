//go:build !unix

package disk

// writable leaves it to who makes the file.
func writable(string) error { return nil }
