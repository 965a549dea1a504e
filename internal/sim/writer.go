package sim

// doc writes the members of an answer's outermost object. Nil is null.
type doc func(w *writer)

// writer writes an answer, member by member, in one of the two formats. XML makes attributes of values and
// elements of objects, so an object's values have to be written before the objects in it.
type writer struct {
	b    []byte
	xml  bool
	open bool // the last start tag, to attributes
}

const xmlProlog = `<?xml version="1.0" encoding="UTF-8" standalone="no" ?>`

// answer writes all of an answer; root is the name of XML's outermost element.
func (w *writer) answer(root string, d doc) {
	if !w.xml && d == nil {
		w.b = append(w.b, "null"...)
		return
	}
	if w.xml {
		w.b = append(w.b, xmlProlog...)
	}
	w.enter(root)
	if d != nil {
		d(w)
	}
	w.leave(root)
}

// object writes an object, or XML's element of that name.
func (w *writer) object(name string, members func()) {
	w.name(name)
	w.enter(name)
	members()
	w.leave(name)
}

// list writes an array of objects, or as many elements of that name.
func (w *writer) list(name string, length int, element func(i int)) {
	w.name(name)
	if !w.xml {
		w.b = append(w.b, '[')
	}
	for i := range length {
		w.comma()
		w.enter(name)
		element(i)
		w.leave(name)
	}
	if !w.xml {
		w.b = append(w.b, ']')
	}
}

// null writes null, or an empty element.
func (w *writer) null(name string) {
	w.name(name)
	if !w.xml {
		w.b = append(w.b, "null"...)
		return
	}
	w.enter(name)
	w.leave(name)
}

// name is JSON's; XML's stands in the tag.
func (w *writer) name(name string) {
	if w.xml {
		return
	}
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, `":`...)
}

func (w *writer) comma() {
	if last := w.b[len(w.b)-1]; !w.xml && last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) enter(name string) {
	if !w.xml {
		w.b = append(w.b, '{')
		return
	}
	w.closeTag()
	w.b = append(w.b, '<')
	w.b = append(w.b, name...)
	w.open = true
}

func (w *writer) closeTag() {
	if w.open {
		w.b = append(w.b, '>')
		w.open = false
	}
}

func (w *writer) leave(name string) {
	switch {
	case !w.xml:
		w.b = append(w.b, '}')
	case w.open:
		w.b = append(w.b, "/>"...)
		w.open = false
	default:
		w.b = append(w.b, "</"...)
		w.b = append(w.b, name...)
		w.b = append(w.b, '>')
	}
}
