package kinesistest

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Effect is what a fault does: package awsfake says what each is.
type Effect = awsfake.Effect

// The effects.
const (
	Refuse      = awsfake.Refuse
	Hang        = awsfake.Hang
	Reset       = awsfake.Reset
	LoseAnswer  = awsfake.LoseAnswer
	CutBody     = awsfake.CutBody
	StallBody   = awsfake.StallBody
	DelayAnswer = awsfake.DelayAnswer
	FailEntries = awsfake.FailEntries
	FailEvent   = awsfake.FailEvent
	DamageEvent = awsfake.DamageEvent
)

// Fault is something that goes wrong with some requests.
type Fault struct {
	// Operation, Stream and Shard say with which; empty = with any.
	Operation, Stream, Shard string
	Effect                   Effect
	// Code, Message and Status are the error of Refuse; Status 0 = 400.
	Code, Message string
	Status        int
	// Events is how many events with records a subscription sends before the fault.
	Events int
	// Delay is that of DelayAnswer.
	Delay time.Duration
	// After lets as many requests pass first, and Times as many fail; 0 = until it is removed.
	After, Times int
	// Ratio is how many of the requests fail, by chance; 0 = all.
	Ratio float64
}

// Throttle returns the error of reads of a shard that come too often.
func Throttle(stream, shard string) Fault {
	return Fault{
		Operation: "GetRecords", Stream: stream, Shard: shard, Effect: Refuse, Code: "ProvisionedThroughputExceededException",
		Message: fmt.Sprintf("Rate exceeded for shard %s in stream %s under account 123456789012.", shard, stream),
	}
}

// Inject lets requests fail from now on, until remove is called. The first fault that is
// for a request counts.
func (s *Server) Inject(f Fault) (remove func()) {
	return s.api.Inject(awsfake.Fault{
		Operation: f.Operation, Resource: f.Stream, Part: f.Shard, Effect: f.Effect, Code: f.Code, Message: f.Message, Status: f.Status,
		Events: f.Events, Delay: f.Delay, After: f.After, Times: f.Times, Ratio: f.Ratio,
	})
}
