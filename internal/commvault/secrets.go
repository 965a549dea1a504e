package commvault

import (
	"strings"
	"sync"
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

// A secret shorter than this is no secret, and taking it out would garble the sentence.
const shortestSecret = 4

// hide takes them out of a text, each with and without its prefix.
func (s *secrets) hide(text string, more ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [][]string{more, s.all} {
		for _, secret := range list {
			_, bare, _ := strings.Cut(secret, " ")
			for _, form := range []string{secret, bare} {
				if len(form) >= shortestSecret {
					text = strings.ReplaceAll(text, form, "***")
				}
			}
		}
	}
	return text
}
