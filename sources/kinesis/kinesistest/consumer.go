package kinesistest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxConsumers is how many consumers a stream may have.
const maxConsumers = 20

// fakeConsumer is a registered consumer of a stream. The server's lock guards it.
type fakeConsumer struct {
	name, arn     string
	created       time.Time
	readyAt       time.Time // when it is ACTIVE
	subscriptions map[string]*fakeSubscription
	calls         map[string]*paceLimit // of SubscribeToShard, by shard
}

type consumerDescription struct {
	ConsumerARN, ConsumerName, ConsumerStatus string
	ConsumerCreationTimestamp                 seconds
	StreamARN                                 string `json:",omitempty"`
}

func (k *fakeConsumer) status(now time.Time) string {
	if now.Before(k.readyAt) {
		return "CREATING"
	}
	return "ACTIVE"
}

func (k *fakeConsumer) describe(now time.Time) consumerDescription {
	return consumerDescription{ConsumerARN: k.arn, ConsumerName: k.name, ConsumerStatus: k.status(now), ConsumerCreationTimestamp: secondsOf(k.created)}
}

// consumerRef is how requests name a consumer: by its ARN, or by its stream's and its name.
type consumerRef struct{ ConsumerARN, ConsumerName, StreamARN string }

func (r *consumerRef) target() (string, string) {
	of := r.StreamARN
	if of == "" {
		of, _, _ = strings.Cut(r.ConsumerARN, "/consumer/")
	}
	return nameOf(of), ""
}

// consumer finds one.
func (s *Server) consumer(r *consumerRef) (*fakeStream, *fakeConsumer, error) {
	name, _ := r.target()
	st := s.streams[name]
	if st == nil {
		return nil, nil, fail("ResourceNotFoundException", "Stream %s under account %s not found.", name, s.o.Account)
	}
	for _, k := range st.consumers {
		if r.ConsumerARN != "" && k.arn == r.ConsumerARN || r.ConsumerARN == "" && k.name == r.ConsumerName {
			return st, k, nil
		}
	}
	return nil, nil, fail("ResourceNotFoundException", "Consumer %s%s of stream %s under account %s not found.", r.ConsumerARN, r.ConsumerName, name, s.o.Account)
}

func (s *Server) onRegisterStreamConsumer(c *call, in *consumerRef) (any, error) {
	st, err := s.findActive(streamRef{StreamARN: in.StreamARN})
	if err != nil {
		return nil, err
	}
	switch {
	case !consumerName(in.ConsumerName):
		return nil, fail("ValidationException", "1 validation error detected: Value '%s' at 'consumerName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", in.ConsumerName)
	case st.consumers[in.ConsumerName] != nil:
		return nil, fail("ResourceInUseException", "Consumer %s of stream %s under account %s already exists.", in.ConsumerName, st.name, s.o.Account)
	case len(st.consumers) >= maxConsumers:
		return nil, fail("LimitExceededException", "The maximum number of consumers for stream %s under account %s is %d.", st.name, s.o.Account, maxConsumers)
	}
	k := &fakeConsumer{name: in.ConsumerName, created: c.now.Truncate(time.Second), readyAt: c.now.Add(s.o.ConsumerTime), subscriptions: map[string]*fakeSubscription{}, calls: map[string]*paceLimit{}}
	if last := st.lastConsumer; !k.created.After(last) {
		k.created = last.Add(time.Second) // the time is in the ARN, which is of one consumer only
	}
	st.lastConsumer = k.created
	k.arn = fmt.Sprintf("%s/consumer/%s:%d", st.arn, k.name, k.created.Unix())
	st.consumers[k.name] = k
	d := k.describe(c.now)
	d.ConsumerStatus = "CREATING"
	return map[string]any{"Consumer": d}, nil
}

func consumerName(name string) bool {
	return name != "" && len(name) <= 128 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

func (s *Server) onDescribeStreamConsumer(c *call, in *consumerRef) (any, error) {
	st, k, err := s.consumer(in)
	if err != nil {
		return nil, err
	}
	d := k.describe(c.now)
	d.StreamARN = st.arn
	return map[string]any{"ConsumerDescription": d}, nil
}

func (s *Server) onDeregisterStreamConsumer(_ *call, in *consumerRef) (any, error) {
	st, k, err := s.consumer(in)
	if err != nil {
		return nil, err
	}
	delete(st.consumers, k.name)
	return nil, nil
}

type listStreamConsumersInput struct {
	streamRef
	NextToken  string
	MaxResults int
}

func (s *Server) onListStreamConsumers(c *call, in *listStreamConsumersInput) (any, error) {
	st, err := s.find(in.streamRef)
	if err != nil {
		return nil, err
	}
	limit := 100
	if in.MaxResults > 0 {
		limit = in.MaxResults
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(st.consumers)), func(name string) bool { return name <= in.NextToken })
	answer := map[string]any{}
	if len(names) > limit {
		names = names[:limit]
		answer["NextToken"] = names[limit-1]
	}
	list := []consumerDescription{}
	for _, name := range names {
		list = append(list, st.consumers[name].describe(c.now))
	}
	answer["Consumers"] = list
	return answer, nil
}
