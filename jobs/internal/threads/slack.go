//go:build cgo && linux

// Package threads sets up the threads of this process.
//
// Timers may be half a millisecond late, in which the kernel serves several of them at once. Go's
// scheduler sleeps for microseconds, hundreds of times a second, where goroutines wait for each
// other: where little comes, each of these sleeps wakes a processor. Threads have the slack of the
// one that has begun them, and Go's first ones are there before any of its code runs; so this is C.
package threads

/*
#include <sys/prctl.h>

__attribute__((constructor)) static void timer_slack(void) {
	prctl(PR_SET_TIMERSLACK, 500000UL, 0UL, 0UL, 0UL);
}
*/
import "C"
