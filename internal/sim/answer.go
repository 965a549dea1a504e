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
	doc     doc // what it says, unless there is a body
	content string
	body    []byte
	header  map[string]string // besides Content-Type and Content-Length
	told    *Served           // what a whole answer of JobDetails tells, else nil
}

func ok(d doc) answer { return answer{status: http.StatusOK, doc: d} }

func refused(status int, d doc) answer { return answer{status: status, doc: d} }

func plain(status int, content, body string) answer {
	return answer{status: status, content: content, body: []byte(body)}
}

// complaint is an error in its flat form.
func complaint(words string, code int64) doc {
	return func(w *writer) {
		w.text("errorMessage", words)
		w.number("errorCode", code)
	}
}

// nested is a complaint within error.
func nested(words string, code int64) doc {
	return func(w *writer) {
		w.object("error", func() { complaint(words, code)(w) })
	}
}

// listed is an error in the form that refuses a job.
func listed(words string, code int64) doc {
	return func(w *writer) {
		w.object("error", func() { errList(w, code, words) })
	}
}

// foreign are errors in shapes of other operations, and of web servers.
var foreign = []doc{
	func(w *writer) { w.object("response", func() { errorString(w) }) },
	func(w *writer) { w.list("response", 1, func(int) { errorString(w) }) },
	func(w *writer) {
		w.list("errors", 1, func(int) { w.object("status", func() { complaint(away, 2)(w) }) })
	},
	errorString,
	func(w *writer) { errList(w, 2, away) },
	func(w *writer) { w.text("error", away) },
	func(w *writer) { w.text("Message", away) },
	func(w *writer) { w.flag("error", true); w.number("statusCode", 401); w.text("message", away) },
	func(w *writer) { w.number("status", 503); w.text("error", away); w.text("path", "/JobDetails") },
}

const away = "The database is away."

func errorString(w *writer) {
	w.text("errorString", away)
	w.number("errorCode", 2)
}

func errList(w *writer, code int64, words string) {
	w.list("errList", 1, func(int) {
		w.number("errorCode", code)
		w.text("errLogMessage", words)
	})
}

const (
	jsonContent = "application/json; charset=utf-8"
	xmlContent  = "application/xml; charset=utf-8"
)

// write puts what the answer says into the format that was asked for.
func (a *answer) write(req *request) {
	if a.body != nil {
		return
	}
	w := writer{b: make([]byte, 0, 2048), xml: req.xml}
	w.answer(cmp.Or(roots[req.op], "App_GenericResponse"), a.doc)
	a.body, a.content = w.b, jsonContent
	if req.xml {
		a.content = xmlContent
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
