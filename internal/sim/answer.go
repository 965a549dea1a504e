package sim

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
)

// answer is what goes out, unless a fault comes between.
type answer struct {
	status  int
	doc     node // what it says, unless there is a body
	content string
	body    []byte
	header  map[string]string // besides Content-Type and Content-Length
	told    *Served           // what a whole answer of JobDetails tells, else nil
}

func ok(doc node) answer { return answer{status: http.StatusOK, doc: doc} }

func refused(status int, doc node) answer { return answer{status: status, doc: doc} }

func plain(status int, content, body string) answer {
	return answer{status: status, content: content, body: []byte(body)}
}

// complaint is an error in its flat form.
func complaint(words string, code int64) node {
	return node{text("errorMessage", words), number("errorCode", code)}
}

// errList is an error in its listed form.
func errList(code int64, words string) member {
	return list("errList", []node{{number("errorCode", code), text("errLogMessage", words)}})
}

const (
	jsonContent = "application/json; charset=utf-8"
	xmlContent  = "application/xml; charset=utf-8"
)

// write puts what the answer says into the format that was asked for.
func (a *answer) write(req *request) {
	switch {
	case a.body != nil:
	case req.xml:
		a.content = xmlContent
		a.body = a.doc.appendXML(append(make([]byte, 0, 4096), xmlProlog...), cmp.Or(roots[req.op], "App_GenericResponse"))
	default:
		a.content = jsonContent
		a.body = a.doc.appendJSON(make([]byte, 0, 2048))
	}
}

// send hands some of an answer's body to the network. Sized says whether Content-Length tells all of it.
func (a *answer) send(w http.ResponseWriter, some []byte, sized bool) error {
	h := w.Header()
	h.Set("Content-Type", a.content)
	for name, value := range a.header {
		h.Set(name, value)
	}
	if sized {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(some); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
