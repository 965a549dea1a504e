package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"jobwatch/internal/progress"
)

type step struct {
	Step *progress.Step `json:"step"`
}

// inSteps answers as answer does; who asks for steps gets them before.
func inSteps(do func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		s := &stepper{to: w}
		if r.FormValue("steps") != "" {
			ctx = progress.With(ctx, s.tell)
		}
		value, err := do(ctx, r)
		if err != nil && s.last.What != "" { // the status is told
			value, err = refusal{err.Error()}, nil
		}
		answer(w, value, err)
	}
}

// stepper tells steps, not too many of them.
type stepper struct {
	to   http.ResponseWriter
	last progress.Step // zero: none was told
	told time.Time
}

const stepEvery = 200 * time.Millisecond

func (s *stepper) tell(is progress.Step) {
	if is.What == s.last.What && time.Since(s.told) < stepEvery {
		return
	}
	s.last, s.told = is, time.Now()
	s.to.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(s.to).Encode(step{&is}) // who asked has gone, if this fails
	_ = http.NewResponseController(s.to).Flush()
}
