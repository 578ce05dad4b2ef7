package corpus

// The entries that the stand-in does not judge as Redshift does, each with its reason.
var (
	misses         = map[string]string{}
	documentMisses = map[string]string{
		"doc-ddl-create-061": "a database's collation is refused: PostgreSQL has none that tells no case",
		"doc-functions-015":  "CHECKSUM is refused: its numbers are not documented",
	}
	postgresMisses = map[string]string{}
)
