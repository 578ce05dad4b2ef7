package redshifttest

import "strings"

// width is how long a line of a golden file may be.
const width = 120

// pretty writes a statement in the lines that it has, with their indentation made even; one that is
// too long gets a line for each clause, and further ones where that does not do.
func pretty(sql string) string {
	words := words(sql)
	line := strings.Join(words, " ")
	if len(line) <= width {
		return line
	}
	if own := lines(sql); len(own) > 1 {
		return strings.ReplaceAll(strings.Join(own, "\n  "), "\n  )", "\n)")
	}
	var b strings.Builder
	used := 0
	for i, word := range words {
		switch {
		case i == 0:
		case breaks[strings.ToUpper(word)] && !joined[strings.ToUpper(words[i-1])]:
			b.WriteString("\n  ")
			used = 2
		case used+1+len(word) > width:
			b.WriteString("\n    ")
			used = 4
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String()
}

// breaks are the words that begin a line, but for those behind joined.
var (
	breaks = map[string]bool{
		"SELECT": true, "FROM": true, "WHERE": true, "SET": true, "VALUES": true, "USING": true, "JOIN": true, "LEFT": true,
		"ORDER": true, "UNION": true, "IAM_ROLE": true, "FORMAT": true, "DISTSTYLE": true,
	}
	joined = map[string]bool{"DELETE": true, "LEFT": true}
)

// lines are those of a statement, if they are short; else there are none.
func lines(sql string) []string {
	var all []string
	for line := range strings.Lines(sql) {
		line = strings.Join(words(line), " ")
		if len(line) > width {
			return nil
		}
		all = append(all, line)
	}
	return all
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
