package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Control is the CommServe, and beside it, under /sim, what happens to it: faults and jobs on demand.
func (s *Sim) Control() http.Handler {
	control := http.NewServeMux()
	control.HandleFunc("GET /sim", s.tell)
	control.HandleFunc("GET /sim/{$}", s.tell)
	control.HandleFunc("GET /sim/faults", s.tellFaults)
	control.HandleFunc("POST /sim/faults", s.postFault)
	control.HandleFunc("DELETE /sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	})
	control.HandleFunc("POST /sim/bears", s.postBears)
	control.HandleFunc("GET /sim/jobs", s.tellJobs)
	control.HandleFunc("POST /sim/jobs", s.postJob)
	control.HandleFunc("POST /sim/pairs", func(w http.ResponseWriter, _ *http.Request) {
		access, refresh := s.Pair()
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s\n%s\n", access, refresh)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sim" || strings.HasPrefix(r.URL.Path, "/sim/") {
			control.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(w, r)
	})
}

// tell says what there is, with commands to paste.
func (s *Sim) tell(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "a %s\n%s%s", s, s.counts(), s.tellBears())
	for _, f := range s.Faults() {
		fmt.Fprintf(w, "in force: %s\n", f)
	}
	fmt.Fprintf(w, help, "http://"+r.Host)
	fmt.Fprintf(w, "\nkinds of fault:\n%s", FaultHelp())
}

const help = `
  curl %[1]s/sim/faults -d '{"kind":"login-page","operation":"JobDetails","rate":0.1}'
  curl %[1]s/sim/faults -d '{"kind":"unknown-job","operation":"JobDetails","job":71,"count":3}'
  curl %[1]s/sim/faults
  curl %[1]s/sim/faults -X DELETE
  curl %[1]s/sim/bears -d 2
  curl %[1]s/sim/jobs
  curl %[1]s/sim/jobs -d '{"id":71,"client":"fall","steps":[{"state":"Running","phase":"Scan"},{"after":"20s","state":"Completed"}]}'
`

func (s *Sim) counts() string {
	counts := s.Counts()
	var said []string
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		said = append(said, fmt.Sprintf("%d of %s", counts[op], op))
	}
	if said == nil {
		return "no requests so far\n"
	}
	return "requests so far: " + strings.Join(said, ", ") + "\n"
}

func (s *Sim) tellFaults(w http.ResponseWriter, _ *http.Request) {
	all := []faultForm{}
	for _, f := range s.Faults() {
		all = append(all, formOf(f))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the client's loss
}

func (s *Sim) postFault(w http.ResponseWriter, r *http.Request) {
	var form faultForm
	fault, err := form.read(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	s.Fault(fault)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintln(w, fault)
}

func (s *Sim) postJob(w http.ResponseWriter, r *http.Request) {
	var form jobForm
	if err := decode(w, r, &form); err != nil {
		refuse(w, err)
		return
	}
	job, err := form.job(s.config.Clock())
	if err != nil {
		refuse(w, err)
		return
	}
	s.Add(job)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "job %d: %d steps\n", job.ID, len(job.Steps))
}

func refuse(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) }

const maxControl = 4 << 20 // a job of some thousand machines, in many steps

// decode reads a body whose every member is known.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControl))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("no JSON of this form: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("there is more after the JSON")
	}
	return nil
}
