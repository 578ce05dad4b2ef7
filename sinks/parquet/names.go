package parquet

import (
	"fmt"
	"hash/fnv"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	extension  = ".parquet"
	nullFolder = "__HIVE_DEFAULT_PARTITION__" // the folder of nulls
	// nameBytesMax keeps a folder's name within what file systems take.
	nameBytesMax = 200
	stateIDChars = 16
)

// escape makes one name of a folder out of any text: what file systems, globs
// and Hive readers take for syntax is percent-encoded.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < ' ' || r == 0x7f || r == utf8.RuneError && n == 1 || strings.ContainsRune(`/\:%*?"'<>|=#{}[]^`, r) {
			fmt.Fprintf(&b, "%%%02X", s[i])
			i++
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	out := b.String()
	if strings.Trim(out, ".") == "" {
		out = strings.ReplaceAll(out, ".", "%2E")
	}
	return shorten(out)
}

// shorten replaces the end of a long name by a hash of the whole.
func shorten(s string) string {
	if len(s) <= nameBytesMax {
		return s
	}
	h := fnv.New64a()
	h.Write([]byte(s))
	cut := nameBytesMax - 17
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	if at := strings.LastIndexByte(s[:cut], '%'); at > cut-3 {
		cut = at
	}
	return fmt.Sprintf("%s~%016x", s[:cut], h.Sum64())
}

// prefix begins the names of all files of one state and sink.
func prefix(pipeline, sink, stateID string) string {
	id := stateID
	if len(id) > stateIDChars {
		id = id[:stateIDChars]
	}
	return fmt.Sprintf("%s-%s-%s-", escape(pipeline), escape(sink), escape(id))
}

func fileName(prefix string, first, last int64, part int) string {
	return fmt.Sprintf("%s%s-%s-%03d%s", prefix, epochText(first), epochText(last), part, extension)
}

// epochText is an epoch's number in the names of files, which sort by it.
func epochText(epoch int64) string { return fmt.Sprintf("%010d", epoch) }

// temporary returns the name under which older versions prepared a file at its target.
func temporary(name string) string {
	dir, base := path.Split(name)
	return dir + "." + base + ".tmp"
}

var epochsAndPart = regexp.MustCompile(`^(\d{10,})-(\d{10,})-\d{3,}\.parquet$`)

// epochsOf reads a file's name; ok tells whether it is one of this state's.
func epochsOf(prefix, name string) (first, last int64, ok bool) {
	rest, found := strings.CutPrefix(name, prefix)
	if !found {
		return 0, 0, false
	}
	m := epochsAndPart.FindStringSubmatch(rest)
	if m == nil {
		return 0, 0, false
	}
	first, firstErr := strconv.ParseInt(m[1], 10, 64)
	last, lastErr := strconv.ParseInt(m[2], 10, 64)
	return first, last, firstErr == nil && lastErr == nil
}
