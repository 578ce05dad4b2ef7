package translate

import "slices"

// FunctionNames are the functions that run, for a test that calls all.
func FunctionNames() []string {
	var names []string
	for name, f := range functions {
		if f.node != noNode {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
