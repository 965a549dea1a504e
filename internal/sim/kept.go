package sim

import "sync"

// kept is a part of an object that does not change: it is written once for each format.
type kept struct{ json, xml func() *writer }

func keep(members doc) *kept {
	in := func(xml bool) func() *writer {
		return sync.OnceValue(func() *writer {
			w := &writer{b: []byte{'{'}, xml: xml, open: true}
			members(w)
			w.b = w.b[1:]
			return w
		})
	}
	return &kept{json: in(false), xml: in(true)}
}

// put writes what is kept. It comes after the object's other values.
func (w *writer) put(k *kept) {
	if w.xml {
		part := k.xml()
		w.b, w.open = append(w.b, part.b...), part.open
		return
	}
	w.comma()
	w.b = append(w.b, k.json().b...)
}
