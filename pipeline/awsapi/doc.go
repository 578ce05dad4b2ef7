// Package awsapi is how services of AWS are reached, whatever they are: which region and
// endpoint, with which credentials, what their errors mean, and how calls are made again.
//
// [Config] is what a pipeline file says of it, embedded in the keys of a node. [Config.Load]
// makes the SDK's configuration of it. Credentials come from the SDK's usual chain (the
// environment, shared files, web identity, containers, EC2), or are those of a role that is
// assumed with them, and are refreshed before they expire; where a service
// calls them expired all the same, they are thrown away, so that the next attempt has new ones.
//
// The SDK's own retries are off: who calls counts attempts, paces them, and knows for how
// long trying makes sense. [Error] says of an error whether trying again may help
// (pipeline.Retryable, with a reason to count by), and otherwise what to do about it. [Retry]
// makes a call again, with a deadline for each attempt, since the SDK has none for a body of
// which the rest never comes.
//
// Sources: the SDK's retry package for codes
// (github.com/aws/aws-sdk-go-v2/aws/retry), "Error retries and exponential backoff in
// AWS" for back-off with full jitter, and the services' API references.
package awsapi
