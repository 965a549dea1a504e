package job

import (
	"path"
	"strings"
)

// Like says whether a name is the one given, or fits it as a pattern of path.Match. Case does not count, since
// Commvault's clients are hosts; a * takes a slash too, since their names are no paths.
func Like(pattern, name string) bool {
	if strings.EqualFold(pattern, name) {
		return true
	}
	like, err := path.Match(noPath(pattern), noPath(name))
	return err == nil && like
}

func noPath(text string) string { return strings.ReplaceAll(strings.ToLower(text), "/", "\x00") }
