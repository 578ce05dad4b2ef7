package columnar

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Codec is how pages are compressed.
type Codec uint8

// The codecs.
const (
	Uncompressed Codec = iota
	Snappy
	Zstd
)

// format returns the codec's name in the file.
func (c Codec) format() format.CompressionCodec {
	return [...]format.CompressionCodec{format.Uncompressed, format.Snappy, format.Zstd}[c]
}

// A page holds about this much before compression, and a number of rows that
// is a multiple of eight: its definition levels are then whole bytes of the
// bitmap.
const (
	pageBytes   = 256 << 10
	pageRowsMax = 32 << 10
	// maxPageBytes guards the 32-bit sizes of the format.
	maxPageBytes = 1 << 30
)

// pages appends the pages of one column chunk after another to out.
type pages struct {
	codec  Codec
	zstd   *zstd.Encoder
	out    []byte
	packed []byte // compressed page
	header bytes.Buffer
	proto  thrift.CompactProtocol
	enc    *thrift.Encoder

	meta *format.ColumnMetaData
}

func newPages() *pages {
	p := &pages{}
	p.enc = thrift.NewEncoder(p.proto.NewWriter(&p.header))
	return p
}

// setCodec says how pages to come are compressed.
func (p *pages) setCodec(codec Codec) (err error) {
	if p.codec = codec; codec != Zstd || p.zstd != nil {
		return nil
	}
	p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return fmt.Errorf("zstd encoder: %w", err)
	}
	return nil
}

// start begins the chunk that meta describes.
func (p *pages) start(meta *format.ColumnMetaData) {
	p.meta = meta
	meta.Codec = p.codec.format()
}

// add appends one page.
func (p *pages) add(h *format.PageHeader, body []byte) error {
	if len(body) > maxPageBytes {
		return fmt.Errorf("page of %d bytes: a page holds at most %d", len(body), maxPageBytes)
	}
	packed := p.compress(body)
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(body)), int32(len(packed))
	h.CRC = int32(crc32.ChecksumIEEE(packed))
	p.header.Reset()
	if err := p.enc.Encode(h); err != nil {
		return fmt.Errorf("page header: %w", err)
	}
	at := int64(len(p.out))
	switch h.Type {
	case format.DictionaryPage:
		p.meta.DictionaryPageOffset = at
	default:
		if p.meta.DataPageOffset == noOffset {
			p.meta.DataPageOffset = at
		}
	}
	p.out = append(append(p.out, p.header.Bytes()...), packed...)
	p.meta.TotalCompressedSize += int64(p.header.Len() + len(packed))
	p.meta.TotalUncompressedSize += int64(p.header.Len() + len(body))
	return nil
}

// noOffset stands for a data page that is not written yet.
const noOffset = -1

func (p *pages) compress(body []byte) []byte {
	switch p.meta.Codec {
	case format.Snappy:
		if n := s2.MaxEncodedLen(len(body)); cap(p.packed) < n {
			p.packed = make([]byte, n)
		}
		p.packed = s2.EncodeSnappy(p.packed[:cap(p.packed)], body)
		return p.packed
	case format.Zstd:
		p.packed = p.zstd.EncodeAll(body, p.packed[:0])
		return p.packed
	default:
		return body
	}
}
