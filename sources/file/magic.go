package file

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// otherFiles are files that hold no records, by their first bytes, with what they are and what
// a user can do.
var otherFiles = []struct{ magic, what, advice string }{
	{"PAR1", "a Parquet file", "write it as JSON, an object a line"},
	{"ORC", "an ORC file", "write it as JSON, an object a line"},
	{"Obj\x01", "an Avro file", "write it as JSON, an object a line"},
	{"ARROW1", "an Arrow file", "write it as JSON, an object a line"},
	{"SQLite format 3\x00", "an SQLite database", "write its tables as JSON, an object a line"},
	{"\xe0\x01\x00\xea", "in Amazon Ion", "export the table again as DYNAMODB_JSON"},
	{"$ion_1_0", "in Amazon Ion", "export the table again as DYNAMODB_JSON"},
	{"PK\x03\x04", "a zip archive", "unpack it, and read the files in it"},
	{"\xfd7zXZ\x00", "compressed by xz", "decompress it (xz -d), or compress it by gzip or zstd"},
	{"\x04\x22\x4d\x18", "compressed by lz4", "decompress it (lz4 -d), or compress it by gzip or zstd"},
	{"\xff\x06\x00\x00sNaPpY", "compressed by snappy", "decompress it, or compress it by gzip or zstd"},
	{"LZIP", "compressed by lzip", "decompress it (lzip -d), or compress it by gzip or zstd"},
	{"\x5d\x00\x00", "compressed by lzma", "decompress it (xz -d), or compress it by gzip or zstd"},
	{"\x1f\x9d", "compressed by compress", "decompress it (gzip -d), or compress it by gzip or zstd"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and read the files in it"},
	{"Rar!", "a RAR archive", "unpack it, and read the files in it"},
	{"%PDF-", "a PDF document", "give the files of records"},
	{"\xff\xfe", "in UTF-16", "write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"},
	{"\xfe\xff", "in UTF-16", "write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"},
}

// tarAt is the offset of the magic number of a tar archive.
const tarAt = 257

// refuse returns an error if a file holds no records, by the first bytes of its content;
// packed says that the file is compressed.
func refuse(path string, head []byte, packed bool) error {
	what, advice := recognise(head)
	switch {
	case what == "":
		return nil
	case packed:
		what = "a compressed file whose content is " + what
	}
	return fmt.Errorf("%s: this is %s, which the file source does not read: %s", path, what, advice)
}

func recognise(head []byte) (what, advice string) {
	for _, o := range otherFiles {
		if bytes.HasPrefix(head, []byte(o.magic)) {
			return o.what, o.advice
		}
	}
	const again = "decompress it, or compress it once"
	switch {
	case compression(head) != "":
		return "compressed by " + compression(head) + " once more", again
	case len(head) > tarAt+5 && string(head[tarAt:tarAt+5]) == "ustar":
		return "a tar archive", "unpack it, and read the files in it"
	case len(head) >= 4 && (head[0] == 0) != (head[1] == 0):
		return "in UTF-16 or UTF-32", "write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"
	case bytes.IndexByte(head, 0) >= 0 && !utf8.Valid(head[:min(len(head), 64)]):
		return "binary", "give files of JSON, plain or compressed by gzip, zstd or bzip2"
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, byteOrderMark), " \t\r\n")
	if bytes.HasPrefix(text, []byte{'<'}) {
		return "XML or HTML", "look at it: it may be the message of a download that failed"
	}
	if isCSV(text) {
		return "CSV", "write it as JSON, an object a line"
	}
	return "", ""
}

// isCSV reports whether text begins with two lines of the same number of fields,
// and no JSON.
func isCSV(text []byte) bool {
	header, rest, ok := bytes.Cut(text, []byte{'\n'})
	row, _, whole := bytes.Cut(rest, []byte{'\n'})
	if !ok || !whole || bytes.ContainsAny(header, "{}[]:") || bytes.HasPrefix(row, []byte{'{'}) {
		return false
	}
	for _, separator := range [][]byte{{','}, {';'}, {'\t'}, {'|'}} {
		if n := bytes.Count(header, separator); n > 0 && n == bytes.Count(row, separator) {
			return true
		}
	}
	return false
}
