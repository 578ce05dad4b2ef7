package corpus

// The entries that the stand-in does not judge as Redshift does, each with its reason.
var (
	misses         = map[string]string{}
	documentMisses = map[string]string{
		"doc-ddl-create-061": "a database's collation is refused: PostgreSQL has none that tells no case",
		"doc-ddl-create-073": "procedures are refused: their PL/pgSQL is Redshift's own",
		"doc-ddl-create-074": "functions are refused: their bodies would have to be translated",
		"doc-functions-015":  "CHECKSUM is refused: its numbers are not documented",
	}
	postgresMisses = map[string]string{}
)
