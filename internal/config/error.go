package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with the configuration.
// Load and Parse return all they find, joined, ordered by line; errors.As finds the first.
type Error struct {
	File    string
	Line    int    // from 1; 0 where no line is to blame
	Key     string // "commcells[0].schedule"; empty where no key is to blame
	Problem string // what is wrong and what mends it; never holds a secret
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.Problem
}

func join(errs []*Error) error {
	slices.SortStableFunc(errs, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(errs))
	for i, err := range errs {
		all[i] = err
	}
	return errors.Join(all...)
}
