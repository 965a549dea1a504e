package standin

import (
	"regexp"
	"strconv"
)

var numeral = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

const maxNumeral = 40 // longer is no number

// Of a member whose number is a size, a time, a count or one of the product's own choices the last word says so, or the first.
var (
	lastWords = set(`
		time times timestamp timeout date size bytes count counter num total percent percentage rate ratio throughput put duration
		elapsed seconds minutes hours days interval code errno level levels flag flags attributes priority status error errors attempt
		attempts progress savings speed amount capacity capability limit offset age type severity failures failed objects files
		folders streams records written transferred color space sequence order acknowledge since retry retries depth items
	`)
	firstWords = set("num size total percent max min")

	// numberNames are members with numbers whose words do not show it.
	numberNames = set(`
		applicationid attemptnumber attempt attemptnum attemptno jobattributesex usedspace dataxferednetwork timesource ccn
		compressedbytes currentphase backuplevel
	`)
)

var idWords = set("id ids")

// idNames are ids whose names do not end so; idSorts is what names one thing in two ways.
var (
	idNames = map[string]string{"jobidactedon": "job"}
	idSorts = map[string]string{"commcell": "cell"}
)

// isID says whether a number names something, and what: a job is one wherever it stands.
func (m member) isID() (of string, is bool) {
	if of, is = idNames[m.name]; is {
		return of, true
	}
	last := len(m.words) - 1
	if !m.known || last < 0 || !idWords[m.words[last]] || secretName.MatchString(m.name) || numberNames[m.name] {
		return "", false
	}
	if of = m.words[max(0, last-1)]; idSorts[of] != "" {
		of = idSorts[of]
	}
	return of, true
}

var timeWords = set("time timestamp")

// counts says whether a member's number says how much, when or which of the product's own.
func (m member) counts() bool {
	if secretName.MatchString(m.name) {
		return m.known && m.has(timeWords)
	}
	last := len(m.words) - 1
	return numberNames[m.name] || m.known && last >= 0 && (lastWords[m.words[last]] || firstWords[m.words[0]])
}

// number gives a JSON number again. A short one that nothing is known of names nobody, unless it is a secret.
func (s *Scrubber) number(m member, text string) string {
	if digits(text) <= shortNumber && !secretName.MatchString(m.name) {
		if of, is := m.isID(); is {
			return s.idText(of, text)
		}
		return text
	}
	return s.numeral(m, text)
}

const shortNumber = 4 // digits

// numeral gives a number in a string again. In a member that nothing is known of it may be a name: even a short one is
// replaced, but for those that XML has in place of yes and no.
func (s *Scrubber) numeral(m member, text string) string {
	of, is := m.isID()
	switch {
	case is:
		return s.idText(of, text)
	case m.counts(), text == "0", text == "1", m.name == "number" && digits(text) <= shortNumber: // of an attempt
		return text
	}
	return s.otherDigits(text)
}

func digits(text string) (n int) {
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			n++
		}
	}
	return n
}

var numberParts = regexp.MustCompile(`^([+-]?)([0-9.]*)([eE][+-]?[0-9]{1,2})?`)

// otherDigits draws a number of the same shape.
func (s *Scrubber) otherDigits(text string) string {
	return s.instead("number", text, func(int) string {
		part := numberParts.FindStringSubmatch(text)
		for mantissa := part[2]; ; mantissa = "0" + mantissa {
			for range 20 {
				if is := part[1] + drawn(mantissa) + part[3]; !s.taken[is] && is != text {
					s.taken[is] = true
					return is
				}
			}
		}
	})
}

// drawn begins with no zero, which JSON has alone only.
func drawn(mantissa string) string {
	is := []byte(mantissa)
	for i, c := range is {
		switch {
		case c == '.':
		case i == 0:
			is[i] = byte('1' + draw(9))
		default:
			is[i] = byte('0' + draw(10))
		}
	}
	return string(is)
}

// sequence numbers ids anew. Those of one sort keep their distances, for the order of the feed's ids means something.
type sequence struct{ first, base int64 }

const firstID = 1 << 20

// ID gives the number that an id of a sort has in the record.
func (s *Scrubber) ID(of string, id int64) int64 {
	if !s.renumber || id <= 0 || of == "cell" && id == localCommCell {
		return id
	}
	q, known := s.ids[of]
	if !known {
		q = &sequence{first: id, base: firstID + int64(draw(firstID))}
		s.ids[of] = q
	}
	if is := id - q.first + q.base; is > 0 {
		return is
	}
	return id + q.base<<20 // far below the first: not in order, but its own
}

const localCommCell = 2 // each CommServe calls itself so

func (s *Scrubber) idText(of, text string) string {
	if !s.renumber {
		return text
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return s.otherDigits(text)
	}
	return strconv.FormatInt(s.ID(of, id), 10)
}
