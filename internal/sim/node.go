package sim

import (
	"math"
	"sync"
)

// node is an object of an answer: what it holds, in order. It is written as JSON (json.go) or as XML (xml.go).
type node []member

// member is a value by its name, an object, or a list of objects.
type member struct {
	name string
	form form
	text string
	n    int64 // also a float64's bits, and 1 for true
	in   node
	list []node
	kept *kept
}

// form says how a member is written: first in JSON, then in XML.
type form uint8

const (
	aText    form = iota // "Scan" and "Scan"
	aNumber              // 12 and "12"
	aNumeral             // "12" and "12"
	aReal                // 12.50 and "12.50"
	aPercent             // 12 and "12.000000"
	aSize                // 4571424148 and "4.571424E+09"
	aFlag                // true and "1"
	aWord                // true and "true"
	anEnum               // 2 and "INCREMANTAL"
	anObject
	aList
	aNull // null, and an element that is empty
	aKept // several members
)

func text(name, value string) member      { return member{name: name, form: aText, text: value} }
func number(name string, n int64) member  { return member{name: name, form: aNumber, n: n} }
func numeral(name string, n int64) member { return member{name: name, form: aNumeral, n: n} }
func percent(name string, n int) member   { return member{name: name, form: aPercent, n: int64(n)} }
func size(name string, n int64) member    { return member{name: name, form: aSize, n: n} }
func flag(name string, is bool) member    { return member{name: name, form: aFlag, n: bit(is)} }
func word(name string, is bool) member    { return member{name: name, form: aWord, n: bit(is)} }
func object(name string, in node) member  { return member{name: name, form: anObject, in: in} }
func list(name string, all []node) member { return member{name: name, form: aList, list: all} }
func null(name string) member             { return member{name: name, form: aNull} }
func enum(name string, n int, x string) member {
	return member{name: name, form: anEnum, n: int64(n), text: x}
}

func ratio(name string, f float64) member {
	return member{name: name, form: aReal, n: int64(math.Float64bits(f))}
}

func (m *member) float() float64 { return math.Float64frombits(uint64(m.n)) }

func bit(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// kept is several members that do not change. They are written when they are first asked for, once.
type kept struct {
	json func() []byte
	xml  func() (attributes, elements []byte)
}

// fresh is members that are made up each time.
func fresh(members func() node) member {
	return member{form: aKept, kept: &kept{
		json: func() []byte { return members().appendMembers(nil) },
		xml:  func() (attributes, elements []byte) { return members().split() },
	}}
}

func keep(members func() node) member {
	return member{form: aKept, kept: &kept{
		json: sync.OnceValue(func() []byte { return members().appendMembers(nil) }),
		xml:  sync.OnceValues(func() (attributes, elements []byte) { return members().split() }),
	}}
}

// split is what XML writes in two places.
func (n node) split() (attributes, elements []byte) {
	return n.appendAttributes(nil), n.appendElements(nil)
}
