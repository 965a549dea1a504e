package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
)

// jobAnswer is what the CommServe says of a job now. It is shown, and nothing is made of it.
type jobAnswer struct {
	Asked    time.Time `json:"askedAt"`
	Answered time.Time `json:"answeredAt"`
	Answer   asGiven   `json:"answer"`
}

// asGiven is the answer as it came; a string where that is XML.
type asGiven struct{ json.RawMessage }

// askNow has the CommServe asked for one job, for somebody who wants to see what it says. HEAD would show nothing of that.
func (s *Server) askNow(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		refuse(w, http.StatusMethodNotAllowed, "this has a CommServe asked; ask with GET")
		return
	}
	id, p := s.askable(w, r)
	if p == nil {
		return
	}
	if wait := s.turns.take(id.CommCell); wait > 0 {
		tooOften(w, wait, id.CommCell+" is being asked, or was a moment ago; try again")
		return
	}
	defer s.turns.end(id.CommCell)
	// The CommServe may take as long as its time-out, and the guard's time is for the answer here.
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}) // a recorder has none
	raw, err := p.AskNow(r.Context(), id.Number)
	_ = control.SetWriteDeadline(time.Now().Add(answerWithin))
	switch {
	case errors.Is(err, poller.ErrNoTurn):
		until, _ := p.Hold()
		tooOften(w, max(askEvery, time.Until(until)), fmt.Sprintf("%s: %v", id.CommCell, err))
	case err != nil:
		refuse(w, http.StatusBadGateway, err.Error())
	default:
		answer(w, http.StatusOK, jobAnswer{raw.Asked, raw.Answered, asGiven{raw.JSON}})
	}
}

// askable is the job of a request, and who can ask for it; else it refuses, and p is nil.
func (s *Server) askable(w http.ResponseWriter, r *http.Request) (id job.ID, p *poller.Poller) {
	if !ofOurPage(r) {
		refuse(w, http.StatusForbidden, "this has a CommServe asked, which no page of another site may do; send the header X-Requested-With")
		return id, nil
	}
	id, err := job.ParseID(r.PathValue("commcell") + "/" + r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return id, nil
	}
	if _, found, err := s.Store.Show(id); err != nil {
		s.broken(w, err)
		return id, nil
	} else if !found {
		refuse(w, http.StatusNotFound, notKnown(id))
		return id, nil
	}
	of, _ := s.view()
	if other := s.followedBy(of, id.CommCell); other != nil {
		refuse(w, http.StatusConflict, fmt.Sprintf("%s is polled by %s; ask there", id.CommCell, *other))
		return id, nil
	}
	if p = s.pollerOf(id.CommCell); p == nil {
		refuse(w, http.StatusConflict, id.CommCell+" is not polled here now")
	}
	return id, p
}

// ofOurPage says that no page of another site has sent a request: the browser tells so, or there is a header that such a
// page cannot send. To plain HTTP beyond localhost browsers tell nothing.
func ofOurPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none": // none: somebody typed the address
		return true
	case "":
		return r.Header.Get("X-Requested-With") != ""
	default:
		return false
	}
}

func tooOften(w http.ResponseWriter, wait time.Duration, sentence string) {
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	refuse(w, http.StatusTooManyRequests, sentence)
}

const askEvery = 2 * time.Second

// turns has one at a time ask a CommCell, and one in askEvery. The zero turns are ready to use.
type turns struct {
	mu    sync.Mutex
	taken map[string]bool      // by CommCell, as the next; guarded by mu, as that is
	began map[string]time.Time // the last one
}

// take takes the turn of a CommCell, or says how long to wait before the next try.
func (t *turns) take(commCell string) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[commCell] {
		return askEvery
	}
	if wait = askEvery - time.Since(t.began[commCell]); wait > 0 {
		return wait
	}
	if t.taken == nil {
		t.taken, t.began = map[string]bool{}, map[string]time.Time{}
	}
	t.taken[commCell], t.began[commCell] = true, time.Now()
	return 0
}

func (t *turns) end(commCell string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken[commCell] = false
}
