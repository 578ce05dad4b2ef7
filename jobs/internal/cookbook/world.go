package cookbook

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// A world is where a design's values are drawn from. It uses nothing but integers, by
// an algorithm of its own (SplitMix64), so that no version of Go draws others.
type world struct{ state uint64 }

func newWorld(name string) *world {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return &world{h.Sum64()}
}

func (w *world) next() uint64 {
	w.state += 0x9e3779b97f4a7c15
	z := w.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n draws a number from 0 to below - 1.
func (w *world) n(below int) int { return int(w.next() % uint64(below)) }

// one draws one of the texts.
func (w *world) one(of ...string) string { return of[w.n(len(of))] }

// cents draws an amount with two digits behind the point.
func (w *world) cents(most int) string {
	c := 1 + w.n(most)
	return fmt.Sprintf("%d.%02d", c/100, c%100)
}

// uuid draws a random UUID.
func (w *world) uuid() string {
	a, b := w.next(), w.next()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// letters draws a text of so many digits and capitals.
func (w *world) letters(count int) string {
	var b strings.Builder
	for range count {
		b.WriteByte("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[w.n(32)])
	}
	return b.String()
}

// day draws a day of some years from 2018 on.
func (w *world) day(years int) time.Time {
	return time.Date(2018, 1, 1+w.n(365*years), 0, 0, 0, 0, time.UTC)
}

// moment draws a second of some years from 2018 on.
func (w *world) moment(years int) time.Time {
	return w.day(years).Add(time.Duration(w.n(86400)) * time.Second)
}

// The ways in which designs write times.
const (
	isoDay   = "2006-01-02"
	isoLocal = "2006-01-02T15:04:05"
	isoUTC   = "2006-01-02T15:04:05Z"
	isoMilli = "2006-01-02T15:04:05.000Z"
)

var (
	firstNames = []string{"Ada", "Ben", "Chioma", "Daiyu", "Emil", "Fatima", "Goran", "Hana", "Igor", "Jorge", "Kim", "Lena", "Mateo", "Nadia", "Omar", "Paulo", "Rosa", "Saanvi", "Tariq", "Vera"}
	lastNames  = []string{"Abara", "Brandt", "Costa", "Denacamp", "Eriksen", "Fischer", "García", "Hill", "Ito", "Jackson", "Khan", "Lopez", "Major", "Novak", "Owusu", "Petrova", "Rivera", "Santos", "Wei", "Zhang"}
	streets    = []string{"Any Street", "Main Street", "Hill Road", "River Street", "Elm Street", "Bridge Street"}
	cities     = []string{"Springfield", "Borås", "Oslo", "Porto", "Lyon", "Kobe", "Austin", "Leeds"}
)

// person returns the nth person: there are as many as one likes.
func person(n int) (first, last, username string) {
	first, last = firstNames[n%len(firstNames)], lastNames[(n*7+n/len(firstNames))%len(lastNames)]
	return first, last, strings.ToLower(first[:1]) + strings.ToLower(strings.ReplaceAll(last, "í", "i")) + string(rune('a'+n%26))
}
