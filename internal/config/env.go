package config

import (
	"errors"
	"fmt"
	"regexp"
)

var dollar = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}?`)

// expand replaces each ${NAME} by the environment variable, and $${ by ${.
// What a variable holds is taken as it is.
func (r *reader) expand(text string) (string, error) {
	var err error
	text = dollar.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$${" {
			return "${"
		}
		value, e := r.variable(found)
		if e != nil && err == nil {
			err = e
		}
		return value
	})
	return text, err
}

func (r *reader) variable(ref string) (string, error) {
	name := reference.FindStringSubmatch(ref)
	if name == nil || name[0] != ref {
		// What stands there instead may be part of a password.
		return "", errors.New("a ${ without the name of an environment variable and } behind it; write ${NAME}, or $${ for a plain ${")
	}
	if value, ok := r.lookup(name[1]); ok {
		return value, nil
	}
	return "", fmt.Errorf("the environment variable %s is not set; set it, or write $${ for a plain ${", name[1])
}

func (r *reader) lookup(name string) (string, bool) {
	if r.getenv == nil {
		return "", false
	}
	return r.getenv(name)
}
