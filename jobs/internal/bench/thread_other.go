//go:build !linux

package main

import (
	"errors"
	"time"
)

func threadTime() (time.Duration, error) {
	return 0, errors.New("only Linux tells it: run the benchmark with -measure cpu,cores")
}
