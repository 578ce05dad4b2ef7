// Package awsfake is what fakes of AWS's JSON services have in common: requests are told apart by
// their target, answered, logged, and made to fail.
//
// A fake brings its operations, each a function of a typed input ([Typed]) that keeps its own lock;
// a [Handler] of them speaks HTTP, and sends a result that is an [EventStream] as one. Its faults ([Handler.Inject]) fail, hang or cut requests
// without the fake's knowledge, and its log ([Handler.Requests]) says what was asked, so that tests
// can count calls.
package awsfake
