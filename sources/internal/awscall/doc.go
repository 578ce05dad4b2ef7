// Package awscall is what sources of shards need around the calls of AWS's SDK: the service's time
// ([Clock]), a connection that gives up on answers that have stopped ([Transport]), a deadline for each call
// ([Do]), one answer for all who ask the same ([Lookup]), and how often a shard is asked ([Pace]).
package awscall
