package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// libraries says which versions of the C and C++ libraries a binary needs at least,
// by the symbols that it takes from them.
func libraries(binary string) (string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", err
	}
	symbols, err := f.ImportedSymbols()
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	newest := map[string]string{}
	for _, s := range symbols {
		family, version, ok := strings.Cut(s.Version, "_")
		if ok && slices.Compare(numbers(version), numbers(newest[family])) > 0 {
			newest[family] = version
		}
	}
	if newest["GLIBC"] == "" || newest["GLIBCXX"] == "" {
		return "", fmt.Errorf("it takes nothing from glibc and libstdc++, or does not say of which versions: %v", newest)
	}
	return fmt.Sprintf("glibc %s and libstdc++ (GLIBCXX_%s), or newer ones,", newest["GLIBC"], newest["GLIBCXX"]), nil
}

// numbers reads a version of a library; what is none of its numbers ends it.
func numbers(version string) []int {
	var n []int
	for part := range strings.SplitSeq(version, ".") {
		i, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		n = append(n, i)
	}
	return n
}
