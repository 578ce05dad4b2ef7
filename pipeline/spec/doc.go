// Package spec reads pipeline files: defaults, then a strict decode, then
// checks, with every mistake reported at once, at its line and column. [Load] reads a
// pipeline file, [LoadTests] a file of tests beside one; [Schema] and [Reference] describe
// the same structs for editors and people.
//
// A file becomes Go values in five steps:
//
//  1. parse: a YAML library gives a syntax tree, which becomes a tree of [Node]
//     with the place of every key and value. Aliases and merge keys are
//     resolved; repeated keys, tags and second documents are mistakes. A scalar
//     without quotes has the type that YAML 1.2 gives it: yes, no, on, off and
//     dates are texts.
//  2. --set key=value settings replace or add values in the tree.
//  3. ${VAR} and ${VAR:-default} are replaced in the texts of the tree, $$ by
//     a dollar sign; a dollar sign before anything else is left alone. A value
//     cannot change the structure of the file.
//  4. decode: structs are filled by reflection, by the tags below. A key that no
//     field has is a mistake.
//  5. graph: names, inputs and cycles are checked, whatever the nodes are.
//
// What only a node can know, it checks in its constructor, and returns joined
// [FieldError] values, which [File.Report] places in the file.
//
// # Secrets
//
// Secrets are never shown: messages and excerpts have the name of the variable or
// asterisks in their stead, and [File.Redact] takes them out of other texts, such
// as errors of drivers. Secret are
//
//   - passwords and tokens in connection strings, wherever one is: of URLs, whether
//     they parse or not, in their user and in their parameters, and password=… of
//     keywords and values;
//   - values of keys whose field has the tag secret, and what was written under a
//     key that nothing has and whose name says that it is one;
//   - values of variables whose name says that it is one: it holds PASSWORD, PASSWD,
//     PASSPHRASE, SECRET, TOKEN or CREDENTIAL, or a word of it ends in KEY or PWD, or
//     is PASS, in any case. PWD and OLDPWD are folders.
//
// Everything else is shown, from the environment too.
//
// # Tags
//
//   - yaml:"name": the key. A field without it is not part of the file; an
//     embedded struct without it has its keys inline.
//   - default:"60s": the value of a key that is left out, as the file would
//     write it.
//   - required:"true": the key must be there, and not be empty.
//   - enum:"a,b": the texts allowed, also in lists. Of a NodeDecoder, which checks them
//     itself, those that the schema and the reference name.
//   - pattern:"^a+$": a regular expression that texts must match.
//   - form:"some a": what the pattern means, for people. Every pattern has one:
//     messages say this, the schema has the expression.
//   - secret:"true": the value is never shown; secret:"connection": it is a
//     connection string, which is shown without its password, or not at all where
//     that can't be told from the rest.
//   - min:"1", max:"64MiB": bounds, inclusive.
//   - desc:"…": one line for the schema and the reference.
//
// Fields are string, bool, int…, float64, structs, slices, pointers (nil = left
// out), map[string]T, [Map], [Any], [Duration], [Interval], [Bytes],
// encoding.TextUnmarshaler or [NodeDecoder]. A field At *Node, without a tag, gets
// the place of its struct. A struct that is left out has its
// defaults, and its required keys are not asked for; a key without a value is
// an empty struct, list or mapping.
package spec
