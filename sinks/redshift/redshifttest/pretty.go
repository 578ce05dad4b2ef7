package redshifttest

import "strings"

// width is how long a line of a golden file may be.
const width = 120

// pretty writes a statement in lines: one, if that is short, else one for each clause, and
// further ones where a clause is longer.
func pretty(sql string) string {
	words := words(sql)
	if line := strings.Join(words, " "); len(line) <= width {
		return line
	}
	var b strings.Builder
	used := 0
	for i, word := range words {
		first, _, _ := strings.Cut(strings.ToUpper(word), "(")
		switch {
		case i == 0:
		case breaks[first], used+1+len(word) > width:
			b.WriteString("\n  ")
			used = 2
			if !breaks[first] {
				b.WriteString("  ")
				used = 4
			}
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String()
}

// breaks are the words that begin a line.
var breaks = map[string]bool{
	"SELECT": true, "FROM": true, "WHERE": true, "SET": true, "VALUES": true, "USING": true, "JOIN": true, "LEFT": true,
	"ORDER": true, "UNION": true, "IAM_ROLE": true, "FORMAT": true,
}

// words splits SQL at its blanks, but for those in texts and names.
func words(sql string) []string {
	var all []string
	var word strings.Builder
	end := 0
	flush := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	for _, at := range lexeme.FindAllStringIndex(sql, -1) {
		if at[0] > end {
			flush()
		}
		word.WriteString(sql[at[0]:at[1]])
		end = at[1]
	}
	flush()
	return all
}
