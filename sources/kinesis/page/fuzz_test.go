package page

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// slowAnswer is an answer, read by the standard library after a strict parser has found it to be JSON.
type slowAnswer struct {
	Records []*struct {
		SequenceNumber, PartitionKey, Data *string
		ApproximateArrivalTimestamp        *json.Number
	}
	NextShardIterator          *string
	ContinuationSequenceNumber *string
	MillisBehindLatest         *int64
	ChildShards                []Child
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// slow writes an answer down as text does, of the members that have their exact names.
func slow(body []byte) (string, error) {
	if err := strict(body); err != nil {
		return "", err
	}
	var a slowAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range a.Records {
		if r == nil || str(r.SequenceNumber) == "" {
			return "", errors.New("no record")
		}
		if strings.ContainsAny(str(r.Data), "\r\n") {
			return "", errors.New("line ends")
		}
		data, err := base64.StdEncoding.DecodeString(str(r.Data))
		if err != nil {
			return "", err
		}
		arrived := NoArrival
		if n := r.ApproximateArrivalTimestamp; n != nil {
			if arrived, err = slowMicros(n.String()); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&b, "%s %s %q %d; ", *r.SequenceNumber, str(r.PartitionKey), data, arrived)
	}
	fmt.Fprintf(&b, "next %q", str(a.NextShardIterator))
	if next := str(a.ContinuationSequenceNumber); next != "" {
		fmt.Fprintf(&b, " continued %q", next)
	}
	if a.MillisBehindLatest != nil {
		p := Page{BehindKnown: true}
		p.Behind = behindOf(*a.MillisBehindLatest)
		fmt.Fprintf(&b, " behind %v", p.Behind)
	}
	for _, c := range a.ChildShards {
		fmt.Fprintf(&b, " child %s of %v", c.ShardID, c.Parents)
	}
	return b.String(), nil
}

func slowMicros(number string) (int64, error) {
	r, ok := new(big.Rat).SetString(number)
	if !ok || r.Sign() < 0 || strings.HasPrefix(number, "-") {
		return 0, errors.New("no time")
	}
	r.Mul(r, big.NewRat(1e6, 1))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return 0, errors.New("no time")
	}
	return n.Int64(), nil
}

// strict reports why a body is no JSON, or none that the fuzz target compares: names in other
// letters are known to the standard library only.
func strict(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	depth, records := 0, false
	for {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch token.Kind() {
		case '{', '[':
			if depth++; depth > 32 {
				return errSkip
			}
		case '}', ']':
			depth--
		case '"':
			name := token.String()
			records = records || depth == 1 && name == "Records"
			for _, known := range []string{"Records", "SequenceNumber", "PartitionKey", "Data", "ApproximateArrivalTimestamp", "NextShardIterator", "ContinuationSequenceNumber", "MillisBehindLatest", "ChildShards", "ShardId", "ParentShards"} {
				if name != known && strings.EqualFold(name, known) {
					return errSkip
				}
			}
		case '0':
			if len(token.String()) > 25 {
				return errSkip
			}
		}
		if depth == 0 {
			break
		}
	}
	if rest := bytes.TrimLeft(body[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return errors.New("more behind")
	}
	if !records {
		return errors.New("no Records")
	}
	return nil
}

var errSkip = errors.New("not compared")

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Records":[{"SequenceNumber":"1","PartitionKey":"a","Data":"aGk=","ApproximateArrivalTimestamp":1.516049873421E9}],"NextShardIterator":"n","MillisBehindLatest":1500}`))
	f.Add([]byte(`{"ChildShards":[{"ShardId":"c","ParentShards":["a","b"]}],"Records":[],"NextShardIterator":null}`))
	f.Add([]byte(`{"X":{"a":[1,-2.5e3,true,false,null,"\u00e9"]},"Records":[{"SequenceNumber":"1","Data":"\/\/79"}],"Records":null}`))
	f.Add([]byte("{\"Records\":[{\"SequenceNumber\":\"\\ud83d\\ude00\",\"Data\":\"aGk=\n\"}]} "))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Page
		err := p.parse(bytes.Clone(body))
		want, wantErr := slow(body)
		switch {
		case errors.Is(wantErr, errSkip):
		case (err == nil) != (wantErr == nil):
			t.Fatalf("%v, want %v", err, wantErr)
		case err == nil && text(&p) != want:
			t.Fatalf("\n%s\nwant\n%s", text(&p), want)
		}
		p.Free()
	})
}
