//go:build !race

package reuse

const poison = false
