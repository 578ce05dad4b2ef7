//go:build !race

package page

const poison = false
