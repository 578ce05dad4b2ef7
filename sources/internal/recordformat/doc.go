// Package recordformat holds the keys by which sources say how their records are written.
// Each source has a key format of its own, since each reads other formats; what there is to say of a
// format besides is the same everywhere: [Options], which a source's Config embeds. The names of
// formats are [Encoding]'s, and what decoding needs of all this is the pipeline.Format that
// [Options.Format] returns.
package recordformat
