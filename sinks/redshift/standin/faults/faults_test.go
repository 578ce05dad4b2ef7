package faults_test

import (
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

func TestParseRule(t *testing.T) {
	for _, c := range []struct {
		text string
		want faults.Rule
	}{
		{"1023", faults.Rule{Kind: faults.Serializable}},
		{"1023:2@^commit", faults.Rule{Kind: faults.Serializable, Count: 2, Pattern: "^commit"}},
		{"late:1:5s@^commit", faults.Rule{Kind: faults.Late, Count: 1, Delay: 5 * time.Second, Pattern: "^commit"}},
		{"oid@from pg_class where a = 'x@y:z'", faults.Rule{Kind: faults.OpenRelation, Pattern: "from pg_class where a = 'x@y:z'"}},
		{"throttle:-1", faults.Rule{Kind: faults.Throttle, Count: -1}},
	} {
		got, err := faults.ParseRule(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"", "nothing", "1023:x", "late:1:soon", "1023:1:1s:1", "1023@("} {
		if got, err := faults.ParseRule(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func TestRulesAreUsedUp(t *testing.T) {
	var s faults.Set
	for _, r := range []faults.Rule{
		{Kind: faults.Serializable, Pattern: "^commit", Count: 2, Skip: 1},
		{Kind: faults.Slow, Pattern: "^copy .* parquet$"},
		{Kind: faults.OpenRelation, Pattern: "pg_class", Count: -1},
	} {
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	take := func(sql string) faults.Kind {
		r, ok := s.Statement("dev", sql, false)
		if !ok {
			return "-"
		}
		return r.Kind
	}
	var got []faults.Kind
	for range 4 {
		got = append(got, take("  COMMIT"))
	}
	if want := []faults.Kind{"-", "1023", "1023", "-"}; !slices.Equal(got, want) {
		t.Errorf("commits: %v, want %v", got, want)
	}
	r, ok := s.Statement("dev", "copy t from 's3://b/k'\n iam_role 'r' PARQUET", false)
	if !ok || r.Kind != faults.Slow || r.Delay != 30*time.Second {
		t.Errorf("copy over two lines: %+v, %v", r, ok)
	}
	for range 100 {
		if take("select relname from pg_class") != faults.OpenRelation {
			t.Fatal("a rule without an end ended")
		}
	}
	if left := s.Pending(); len(left) != 1 || left[0].Kind != faults.OpenRelation {
		t.Errorf("left: %+v", left)
	}
	s.Clear()
	if take("select relname from pg_class") != "-" {
		t.Error("a rule outlived Clear")
	}
}

func TestLoginsAndStatementsAreApart(t *testing.T) {
	var s faults.Set
	for _, k := range []faults.Kind{faults.Serializable, faults.Throttle, faults.Resume} {
		if err := s.Add(faults.Rule{Kind: k}); err != nil {
			t.Fatal(err)
		}
	}
	if r, _ := s.Login("loader"); r.Kind != faults.Throttle {
		t.Errorf("the first login's fault is %s", r.Kind)
	}
	if r, _ := s.Login("loader"); r.Kind != faults.Resume || r.Delay != time.Minute {
		t.Errorf("the second login's fault is %+v", r)
	}
	if r, ok := s.Login("loader"); ok {
		t.Errorf("a login has the fault %s", r.Kind)
	}
	if r, _ := s.Statement("dev", "select 1", false); r.Kind != faults.Serializable {
		t.Errorf("the statement's fault is %s", r.Kind)
	}
	if err := s.Add(faults.Rule{Kind: "unheard of"}); err == nil {
		t.Error("an unknown kind was taken")
	}
}
