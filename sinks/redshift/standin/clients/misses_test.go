package clients

// misses are the checks, by client, that the stand-in is known to answer otherwise than
// Redshift, each with its reason.
var misses = map[string]string{
	"TestJDBC: getImportedKeys": "pg_depend has no rows that lead from a foreign key to the index of the key that it refers to",
}
