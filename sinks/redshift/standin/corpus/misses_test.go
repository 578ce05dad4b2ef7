package corpus

// The entries that the stand-in does not judge as Redshift does, each with its reason.
var (
	misses         = map[string]string{}
	documentMisses = map[string]string{}
	postgresMisses = map[string]string{}
)
