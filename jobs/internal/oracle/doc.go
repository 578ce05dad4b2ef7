// Package oracle says what a pipeline's tables have to hold. It is a model of
// the semantics of unnest and star: small, slow and obviously right, with plain
// maps, which sees all changes at once and knows nothing of order of arrival,
// epochs, state or crashes. The tests of package jobs hold the engine against
// it; nothing of it is in the binary.
//
// Values are texts, as DuckDB writes them. A row is a map from its columns to
// their values in which a null is missing, so rows compare, print and become
// keys without further ado.
//
// The model reads the same pipeline file as the engine. It knows only as much
// of unnest as the tests' pipelines use, and takes what expressions compute as
// Go functions.
package oracle
