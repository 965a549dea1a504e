package commvault

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// secrets are the tokens and passwords used last. Errors repeat none of them.
type secrets struct {
	mu  sync.Mutex
	all []string
}

const keptSecrets = 32 // those of some renewals; an answer may come late

func (s *secrets) learn(some ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, some...)
	if more := len(s.all) - keptSecrets; more > 0 {
		s.all = append([]string(nil), s.all[more:]...)
	}
}

// A shorter one may be a common word, and without it the server's own sentence would be garbled: the password is ***.
const shortestSecret = 8 // characters

// hide takes them out of what a server said, each with and without its prefix. In what we say ourselves there is none.
func (s *secrets) hide(text string, more ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [][]string{more, s.all} {
		for _, secret := range list {
			_, bare, _ := strings.Cut(secret, " ")
			for _, form := range []string{secret, bare} {
				if utf8.RuneCountInString(form) >= shortestSecret {
					text = strings.ReplaceAll(text, form, "***")
				}
			}
		}
	}
	return text
}
