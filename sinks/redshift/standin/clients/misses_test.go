package clients

// misses are the checks, by client, that the stand-in is known to answer otherwise than
// Redshift, each with its reason.
var misses = map[string]string{}
