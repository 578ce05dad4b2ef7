package redshift

// newLoader returns the loader that the configuration asks for.
func newLoader(sink string, cfg *Config) loader {
	return nil
}
