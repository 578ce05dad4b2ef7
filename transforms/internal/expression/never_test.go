package expression

import "testing"

// TestNever: a call of constants that can't have a result is a mistake with a place;
// one that is only beyond a bound is an error of the value. What SQL has is recognised
// in small letters too.
func TestNever(t *testing.T) {
	for text, want := range map[string]string{
		`n + int("abc")`:                 `"abc" is not a number`,
		`n * duration("1w")`:             `"1w" is no duration, as 1h30m or 7d: want numbers with d, h, m, s, ms or us`,
		`round(2.5, -1)`:                 `round wants 0 to 38 decimals, not -1`,
		`repeat("a", -1)`:                `repeat wants a whole number from 0, not -1`,
		`fromJSON("{") == n`:             `fromJSON: "{" is not JSON`,
		`max(1, "a")`:                    `type mismatch: comparison of string and number: make a number of the string by decimal(…), or a string of the number by string(…)`,
		`hour("2024-01-01")`:             `type mismatch: hour wants a timestamp, not a string: write hour(timestamp(…))`,
		`addDays(date("9999-12-31"), 1)`: "",
		`bitshl(1, 3) + 2 ** 1e9`:        "",
		`reverse(["a", nil])`:            "",
		`int(nil ?? "7")`:                "",
		`n is null`:                      `unexpected "is": write a == nil`,
		`n between 1 and 2`:              `unexpected "between": write a >= b and a <= c`,
		`case when n then s end`:         `unexpected "when": write a ? b : c`,
		`s LIKE "a%"`:                    `unexpected "LIKE": write matches, contains, startsWith or endsWith`,
	} {
		_, mistakes := Parse(text, &itemNames{})
		got := ""
		if len(mistakes) > 0 {
			got = mistakes[0].Message
		}
		if got != want {
			t.Errorf("%s: the mistake is %q, want %q", text, got, want)
		}
	}
}

// TestKindsOfAny: what is one of the arguments may be of the kinds of all of them.
func TestKindsOfAny(t *testing.T) {
	for text, want := range map[string]Kind{"max(float(s), 1, n)": document | Double, "max(float(s), int(s))": numeric, "min(int(s), float(s))": numeric, "max([float(s)], 2)": numeric} {
		e, mistakes := Parse(text, &itemNames{})
		if mistakes != nil {
			t.Fatal(mistakes)
		}
		if e.result.kinds&want != want {
			t.Errorf("%s may be a %s, want %s", text, e.result.kinds, want)
		}
	}
}
