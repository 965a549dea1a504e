package record

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Player answers as a record tells that a CommServe did. Any token is good.
type Player struct {
	speed float64
	log   func(line string)

	mu      sync.Mutex
	began   time.Time          // the first request came; guarded by mu
	courses map[string]*course // guarded by mu
}

// NewPlayer plays entries, so many times faster than they were recorded. Its time begins with the first request. log is
// told of each; nil: nobody is.
func NewPlayer(entries []Entry, speed float64, log func(line string)) *Player {
	if log == nil {
		log = func(string) {}
	}
	return &Player{speed: speed, log: log, courses: coursesOf(entries)}
}

// ServeHTTP answers under any base path.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted := asked(r)
	e := p.next(&wanted)
	p.log(fmt.Sprintf("%s %d: %d, %d bytes %s", wanted.Op, wanted.Job, e.Status, len(e.Body), e.Failure))
	wait(r, time.Duration(float64(e.Took)/p.speed)*time.Millisecond)
	e.play(w, r)
}

func (p *Player) next(wanted *Entry) *Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() {
		p.began = time.Now()
	}
	now := time.Duration(float64(time.Since(p.began)) * p.speed)
	if c := p.courses[wanted.question()]; c != nil {
		return c.next(now)
	}
	other := *wanted // the same, asked in another way
	if other.Attempts = !wanted.Attempts; wanted.Op == Details {
		if c := p.courses[other.question()]; c != nil {
			return c.next(now)
		}
	}
	return neverAsked(wanted)
}

const json200 = "application/json"

// neverAsked answers what nobody asked the CommServe: it knows no such job, and the list has no more pages.
func neverAsked(wanted *Entry) *Entry {
	status, body := http.StatusOK, ""
	switch wanted.Op {
	case Details:
		body = `{}`
	case opSummary:
		body = `{"totalRecordsWithoutPaging":0}`
	case opList:
		body = `{"totalRecordsWithoutPaging":0,"jobs":[]}`
	case opLogin, opRenew:
		body = `{"token":"QSDK replay"}`
	default:
		status, body = http.StatusNotFound, `{"errorMessage":"The record has no answer to this.","errorCode":404}`
	}
	return &Entry{Status: status, Header: map[string]string{"Content-Type": json200}, Body: body}
}

const (
	tooLong = 16<<20 + 1      // more than a client reads
	hanging = 5 * time.Minute // longer than a client waits
)

func (e *Entry) play(w http.ResponseWriter, r *http.Request) {
	switch {
	case e.Failure == timedOut:
		wait(r, hanging)
		panic(http.ErrAbortHandler)
	case e.Status == 0:
		panic(http.ErrAbortHandler) // net/http's way to break a connection off
	}
	if e.Status == http.StatusNoContent || e.Status == http.StatusNotModified {
		w.WriteHeader(e.Status)
		return
	}
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	size := len(e.Body)
	switch {
	case e.Long:
		size = tooLong
	case e.Cut:
		size++
	}
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.WriteHeader(e.Status)
	_, _ = w.Write([]byte(e.Body)) // the client's loss
	if e.Cut {
		panic(http.ErrAbortHandler)
	}
	for left := size - len(e.Body); left > 0; left -= len(spaces) {
		_, _ = w.Write(spaces[:min(left, len(spaces))])
	}
}

var spaces = bytes.Repeat([]byte(" "), 64<<10)

// wait lets time pass, as long as somebody waits for the answer.
func wait(r *http.Request, long time.Duration) {
	patience := time.NewTimer(long)
	defer patience.Stop()
	select {
	case <-r.Context().Done():
	case <-patience.C:
	}
}
