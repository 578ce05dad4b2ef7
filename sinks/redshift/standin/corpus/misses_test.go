package corpus

// The entries that the stand-in does not judge as Redshift does, each with its reason.
var (
	misses         = map[string]string{}
	documentMisses = map[string]string{
		"doc-catalogs-019": "sys_unload_history is not kept: an UNLOAD is seen in sys_query_history",
		"doc-catalogs-041": "there is no workload management whose queue stl_wlm_query would tell",
	}
	postgresMisses = map[string]string{}
)
