//go:build race

package page

// poison says that memory is overwritten when it is given back, so that tests, which run with the
// race detector, fail where it is still used.
const poison = true
