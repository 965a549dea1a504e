package commvault

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// attempts reads attemptsInfo, which is there where the request says showAttempt. Its shape is documented nowhere,
// and no saved answer holds one, so it is taken as an array of entries, as one entry, or as an object around entries.
// The number of the attempt is the highest that they say, else how many they are. Where nothing can be made out,
// there is none; it never makes an answer bad.
type attempts struct {
	entries  int
	highest  int64
	numbered bool // an entry names a number, be it 0
}

// numberNames are what an attempt's number might be called, in lower case.
var numberNames = map[string]bool{
	"attempt": true, "attemptnumber": true, "attemptnum": true, "attemptno": true, "attemptid": true,
	"attemptcount": true, "phaseattempt": true, "currentattempt": true, "number": true,
}

func (a *attempts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '[':
		inner, err := entriesIn(dec)
		a.join(inner)
		return err
	case '{':
		inner, err := entryIn(dec)
		a.join(inner)
		return err
	}
	return dec.SkipValue()
}

// number is nil where none can be made out. An attempt 0 is none yet.
func (a *attempts) number() *int64 {
	number := a.highest
	if !a.numbered {
		number = int64(a.entries)
	}
	if number <= 0 {
		return nil
	}
	return new(number)
}

// join adds entries that stand beside those there are.
func (a *attempts) join(b attempts) {
	a.entries += b.entries
	a.highest = max(a.highest, b.highest)
	a.numbered = a.numbered || b.numbered
}

func entriesIn(dec *jsontext.Decoder) (all attempts, err error) {
	if _, err = dec.ReadToken(); err != nil {
		return all, err
	}
	for dec.PeekKind() != ']' {
		if dec.PeekKind() != '{' {
			err = dec.SkipValue()
		} else {
			var one attempts
			if one, err = entryIn(dec); err == nil {
				one.entries = min(one.entries, 1) // what it holds are its own parts
				all.join(one)
			}
		}
		if err != nil {
			return all, err
		}
	}
	_, err = dec.ReadToken()
	return all, err
}

// entryIn reads an object. One that says something itself is an entry; one that only holds objects stands around
// them: those of the member that has the most.
func entryIn(dec *jsontext.Decoder) (attempts, error) {
	var itself attempts
	around := map[string]attempts{} // in XML a member for each entry
	if _, err := dec.ReadToken(); err != nil {
		return itself, err
	}
	for dec.PeekKind() != '}' {
		raw, err := dec.ReadValue()
		if err != nil {
			return itself, err
		}
		name := string(withoutQuotes(raw))
		switch dec.PeekKind() {
		case '{', '[':
			var inner attempts
			err = inner.UnmarshalJSONFrom(dec)
			inner.join(around[name])
			around[name] = inner
		default:
			err = itself.readMember(name, dec)
		}
		if err != nil {
			return itself, err
		}
	}
	_, err := dec.ReadToken()
	if itself.entries > 0 {
		return itself, err
	}
	return most(around), err
}

// readMember takes note of a member that is no object.
func (a *attempts) readMember(name string, dec *jsontext.Decoder) error {
	var value integer
	absent := dec.PeekKind() == 'n'
	if err := value.UnmarshalJSONFrom(dec); err != nil || absent {
		return err
	}
	a.entries = 1
	if value.value != nil && numberNames[strings.ToLower(name)] {
		a.highest, a.numbered = max(a.highest, *value.value), true
	}
	return nil
}

func most(members map[string]attempts) (is attempts) {
	for _, m := range members {
		if m.numbered && !is.numbered || m.numbered == is.numbered && max(int64(m.entries), m.highest) > max(int64(is.entries), is.highest) {
			is = m
		}
	}
	return is
}
