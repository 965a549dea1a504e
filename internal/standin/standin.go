// Package standin writes a CommServe's answers once more without what they tell of anybody: names, hosts, users, addresses,
// texts and tokens become stand-ins, the same one for the same original.
//
//	standin.go     what is remembered: originals and their stand-ins, in memory alone
//	body.go        a whole body, whatever it is
//	json.go        JSON, xml.go XML: the same structure again
//	members.go     the names of members; words.go those that may stay
//	values.go      a string; vocabulary.go those that may stay
//	numbers.go     a number, as itself or in a string
//	shapes.go      names that look like something: a host, an address, a path
//	texts.go       words that people read
//
// It goes by what may stay, not by what must go: whatever is not known to be the API's own is replaced. Nothing leads
// back from a stand-in: they are counted, or drawn, and which stands for what is never written.
package standin

import (
	"crypto/rand"
	"math/big"
	"strconv"
	"strings"
)

// Scrubber replaces. One belongs to one record, and to one goroutine at a time.
type Scrubber struct {
	renumber bool
	known    map[original]string
	counts   map[string]int
	taken    map[string]bool // of numerals and GUIDs, which are drawn
	ids      map[string]*sequence
}

// original is what was replaced: the same words may be a name here and a text there.
type original struct{ sort, text string }

// New begins without any stand-ins. renumber: ids get others, too.
func New(renumber bool) *Scrubber {
	return &Scrubber{
		renumber: renumber, known: map[original]string{}, counts: map[string]int{}, taken: map[string]bool{}, ids: map[string]*sequence{},
	}
}

// instead gives the stand-in of an original, and makes one of the count of its sort where it has none yet.
func (s *Scrubber) instead(sort, text string, make func(count int) string) string {
	key := original{sort, text}
	if is, known := s.known[key]; known {
		return is
	}
	s.counts[sort]++
	is := make(s.counts[sort])
	s.known[key] = is
	return is
}

// numbered is a stand-in such as name-7.
func (s *Scrubber) numbered(sort, text string) string {
	return s.instead(sort, text, func(count int) string { return sort + "-" + strconv.Itoa(count) })
}

const (
	longName = 64
	padding  = "."
)

// padded makes a stand-in about as long as a long original, so that what is too long stays so.
func padded(is string, size int) string {
	if size <= longName {
		return is
	}
	size = (size + longName - 1) / longName * longName
	return is + strings.Repeat(padding, max(0, size-len(is)))
}

// letters counts without numbers, which do not count in a text: a, b, …, z, aa.
func letters(count int) string {
	var b []byte
	for ; count > 0; count = (count - 1) / 26 {
		b = append([]byte{byte('a' + (count-1)%26)}, b...)
	}
	return string(b)
}

// draw gives a number below n that nobody can foretell.
func draw(n int) int {
	is, _ := rand.Int(rand.Reader, big.NewInt(int64(n))) // its error ends the program
	return int(is.Int64())
}
