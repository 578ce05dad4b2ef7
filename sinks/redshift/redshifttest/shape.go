package redshifttest

import (
	"iter"
	"regexp"
	"strings"
)

// Two statements have the same shape if they differ in names of tables and columns, in literals,
// and in how often a list has the same kind of item. A shape is taken apart into its features:
// the order of its clauses, and each kind of item of each list, with where it stands. A
// statement is known when all of its features are: so a table of forty columns brings nothing
// new, and one column of a new type does.

// lexeme is what SQL consists of, besides blanks and comments.
var lexeme = regexp.MustCompile(`(?s)'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|\$[0-9]+|[0-9]+(?:\.[0-9]+)?|[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*|--[^\n]*|/\*.*?\*/|::|<=|>=|<>|!=|\|\||[^\s]`)

// clauses are the words that begin a part of a statement with a list of its own.
var clauses = map[string]bool{
	"SELECT": true, "FROM": true, "WHERE": true, "SET": true, "VALUES": true, "USING": true, "JOIN": true, "ON": true,
	"ORDER": true, "GROUP": true, "UNION": true, "HAVING": true, "LIMIT": true, "INTO": true, "TABLE": true, "WITH": true,
}

var (
	stageNumber = regexp.MustCompile(`^"starlift_stage_[0-9]+"$`)
	tokenName   = regexp.MustCompile(`starlift_token_[0-9a-f]{16}`)
	docNumber   = regexp.MustCompile(`^"_starlift_doc_[0-9]+"$`)
)

// tokens splits SQL.
func tokens(sql string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, at := range lexeme.FindAllStringIndex(sql, -1) {
			token := sql[at[0]:at[1]]
			if !strings.HasPrefix(token, "--") && !strings.HasPrefix(token, "/*") && !yield(token) {
				return
			}
		}
	}
}

// general replaces what does not matter to a token's shape.
func general(token string) string {
	switch first := token[0]; {
	case first == '\'':
		return "'…'"
	case first == '$' && len(token) > 1:
		return "$"
	case first >= '0' && first <= '9':
		return "0"
	case stageNumber.MatchString(token):
		return `"starlift_stage"`
	case docNumber.MatchString(token):
		return `"_starlift_doc"`
	case first == '"' && tokenName.MatchString(token):
		return `"starlift_token"`
	case strings.HasPrefix(token, `"starlift_`), strings.HasPrefix(token, `"_starlift_`), token == `"_loaded_at"`:
		return token
	case first == '"':
		return `"…"`
	}
	return strings.ToUpper(token)
}

// part is a token, or what stands between parentheses.
type part struct {
	token string
	group []part // not nil = the token is "()"
}

func parts(sql string) []part {
	stack := [][]part{{}}
	for token := range tokens(sql) {
		top := len(stack) - 1
		switch {
		case token == "(":
			stack = append(stack, []part{})
		case token == ")" && top > 0:
			stack[top-1] = append(stack[top-1], part{"()", stack[top]})
			stack = stack[:top]
		default:
			stack[top] = append(stack[top], part{token: general(token)})
		}
	}
	// What is not closed is taken as it is.
	for top := len(stack) - 1; top > 0; top-- {
		stack[top-1] = append(stack[top-1], stack[top]...)
	}
	return stack[0]
}

// features returns those of a statement.
func features(sql string) map[string]bool {
	found := map[string]bool{}
	collect(found, "", parts(sql))
	return found
}

// collect adds the features of a statement, or of a group at a path of it.
func collect(found map[string]bool, path string, all []part) {
	var order []string
	clause, from := "", 0
	end := func(to int) {
		order = append(order, clause)
		for _, item := range split(all[from:to]) {
			var words []string
			for _, p := range item {
				words = append(words, p.token)
			}
			at := path + " " + clause + ": " + strings.Join(words, " ")
			found[at] = true
			for _, p := range item {
				if p.group != nil {
					collect(found, at+" >", p.group)
				}
			}
		}
	}
	for i, p := range all {
		if clauses[p.token] && i > 0 {
			end(i)
			clause, from = p.token, i+1
		} else if clauses[p.token] {
			clause, from = p.token, 1
		}
	}
	end(len(all))
	found[path+" = "+strings.Join(order, " ")] = true
}

// split splits a clause at its commas, ANDs and ORs.
func split(all []part) [][]part {
	var items [][]part
	from := 0
	for i, p := range all {
		if p.token == "," || p.token == "AND" || p.token == "OR" {
			items = append(items, all[from:i])
			from = i + 1
		}
	}
	return append(items, all[from:])
}
