//go:build !linux

package main

import (
	"errors"
	"time"
)

var errThreads = errors.New("only Linux tells it: run the benchmark with -measure cpu,cores")

func threadTime() (time.Duration, error) { return 0, errThreads }

func threadClocks() (map[int]threadClock, error) { return nil, errThreads }
