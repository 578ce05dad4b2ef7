package kinesistest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// effects are the effects by the names that Knobs knows them by.
var effects = map[string]Effect{
	"refuse": Refuse, "hang": Hang, "reset": Reset, "lose_answer": LoseAnswer, "cut_body": CutBody, "stall_body": StallBody,
	"delay": DelayAnswer, "fail_entries": FailEntries, "fail_event": FailEvent, "damage_event": DamageEvent,
}

// Knobs returns a handler that turns the knobs of a fake that runs in another process, below
// /_fake/: see the command kinesisfake.
func (s *Server) Knobs() http.Handler {
	mux := http.NewServeMux()
	for name, turn := range map[string]func(q url.Values) (any, error){
		"advance": func(q url.Values) (any, error) {
			d, err := time.ParseDuration(q.Get("by"))
			s.Advance(d)
			return s.Now().UTC().Format(time.RFC3339), err
		},
		"forget": func(q url.Values) (any, error) { return nil, s.Forget(q.Get("stream"), q.Get("shard")) },
		"hide": func(q url.Values) (any, error) {
			return nil, s.Hide(q.Get("stream"), q.Get("shard"), q.Get("hidden") != "false")
		},
		"trim": func(q url.Values) (any, error) {
			n, err := strconv.Atoi(q.Get("n"))
			if err != nil {
				return nil, err
			}
			return nil, s.Trim(q.Get("stream"), q.Get("shard"), n)
		},
		"empty": func(q url.Values) (any, error) {
			n, err := strconv.Atoi(q.Get("n"))
			if err != nil {
				return nil, err
			}
			return nil, s.EmptyPages(q.Get("stream"), q.Get("shard"), n)
		},
		"resize": func(q url.Values) (any, error) {
			n, err := strconv.Atoi(q.Get("n"))
			if err != nil {
				return nil, err
			}
			return nil, s.Resize(q.Get("stream"), n)
		},
		"fault":    s.injectQuery,
		"heal":     func(url.Values) (any, error) { s.api.Heal(); return nil, nil },
		"requests": func(url.Values) (any, error) { return s.countRequests(), nil },
	} {
		mux.HandleFunc("/_fake/"+name, func(w http.ResponseWriter, r *http.Request) {
			result, err := turn(r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(result) // a client that has gone needs no answer
		})
	}
	return mux
}

// injectQuery injects the fault that a query describes.
func (s *Server) injectQuery(q url.Values) (any, error) {
	f := Fault{
		Operation: q.Get("operation"), Stream: q.Get("stream"), Shard: q.Get("shard"), Effect: effects[q.Get("effect")],
		Code: q.Get("code"), Message: q.Get("message"),
	}
	if f.Effect == 0 {
		return nil, fmt.Errorf("effect %q is none of refuse, hang, reset, lose_answer, cut_body, stall_body, delay, fail_entries, fail_event and damage_event", q.Get("effect"))
	}
	var err error
	for name, to := range map[string]*int{"status": &f.Status, "after": &f.After, "events": &f.Events, "times": &f.Times} {
		if text := q.Get(name); text != "" {
			if *to, err = strconv.Atoi(text); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if text := q.Get("ratio"); text != "" {
		if f.Ratio, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("ratio: %w", err)
		}
	}
	if text := q.Get("delay"); text != "" {
		if f.Delay, err = time.ParseDuration(text); err != nil {
			return nil, fmt.Errorf("delay: %w", err)
		}
	}
	s.Inject(f)
	return nil, nil
}

// countRequests counts requests by operation, shard and error.
func (s *Server) countRequests() map[string]int {
	counts := map[string]int{}
	for _, r := range s.Requests("", "", "") {
		name := r.Operation
		for _, part := range []string{r.Stream, r.Shard, r.Code} {
			if part != "" {
				name += " " + part
			}
		}
		counts[name]++
	}
	return counts
}
