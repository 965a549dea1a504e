package sim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultForm is a Fault as it is asked for over HTTP.
type faultForm struct {
	Kind      string   `json:"kind"`
	Operation string   `json:"operation,omitempty"`
	Job       int64    `json:"job,omitempty"`
	Rate      float64  `json:"rate,omitempty"`
	Count     int      `json:"count,omitempty"`
	Skip      int      `json:"skip,omitempty"`
	After     duration `json:"after,omitempty"`
	Delay     duration `json:"delay,omitempty"`
	Code      int      `json:"code,omitempty"`
	Location  string   `json:"location,omitempty"`
}

// duration is written like "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func (form *faultForm) read(w http.ResponseWriter, r *http.Request) (Fault, error) {
	if err := decode(w, r, form); err != nil {
		return Fault{}, err
	}
	f := Fault{
		Kind: kindOf(form.Kind), Op: Op(form.Operation), Job: form.Job, Rate: form.Rate, Next: form.Count, Skip: form.Skip,
		After: time.Duration(form.After), Delay: time.Duration(form.Delay), Code: form.Code, Location: form.Location,
	}
	return f, f.check()
}

func formOf(f Fault) faultForm {
	return faultForm{
		Kind: string(f.Kind), Operation: string(f.Op), Job: f.Job, Rate: f.Rate, Count: f.Next, Skip: f.Skip,
		After: duration(f.After), Delay: duration(f.Delay), Code: f.Code, Location: f.Location,
	}
}

// kindOf takes an underscore for a hyphen.
func kindOf(name string) FaultKind { return FaultKind(strings.ReplaceAll(name, "_", "-")) }

var operations = []Op{OpLogin, OpLogout, OpRenewLogin, OpRenewPair, OpJobDetails, OpList, OpJobs, OpSummary, OpCommServ, OpEvents}

// check says what of a Fault that somebody typed cannot be.
func (f *Fault) check() error {
	t := f.Kind.trait()
	switch {
	case t.about == "":
		return fmt.Errorf("no kind of fault is called %q; there are:\n\n%s", f.Kind, strings.TrimRight(FaultHelp(), "\n"))
	case f.Op != "" && !slices.Contains(operations, f.Op):
		return fmt.Errorf("no operation is called %q; there are %q", f.Op, operations)
	case f.Op != "" && !t.befalls(f.Op):
		return fmt.Errorf("%s befalls %q only, not %s", f.Kind, t.ops, f.Op)
	case f.Job != 0 && f.Op != OpJobDetails && f.Op != OpSummary:
		return fmt.Errorf("a fault of one job needs the operation %s or %s", OpJobDetails, OpSummary)
	case !(f.Rate >= 0 && f.Rate <= 1):
		return fmt.Errorf("rate %v: it is a probability, from 0 to 1", f.Rate)
	case f.Rate == 0 && f.Next <= 0:
		return errors.New("a fault needs a rate above 0, or a count")
	case f.Next < 0 || f.Skip < 0 || f.After < 0 || f.Delay < 0:
		return errors.New("count, skip, after and delay cannot be below 0")
	case f.Code != 0 && (t.code == 0 || f.Code < 200 || f.Code > 599):
		return fmt.Errorf("code %d: %s has none, or none like that", f.Code, f.Kind)
	}
	return nil
}

const usualRate = 0.1

// ParseFault reads "kind" or "kind:rate". The rate is 0.1 if there is none.
func ParseFault(text string) (Fault, error) {
	name, rate, given := strings.Cut(text, ":")
	f := Fault{Kind: kindOf(name), Rate: usualRate}
	if given {
		var err error
		if f.Rate, err = strconv.ParseFloat(rate, 64); err != nil {
			return f, fmt.Errorf("the rate %q is no number, like 0.1", rate)
		}
	}
	return f, f.check()
}

// String says what a fault does, in one line.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", f.Kind)
	for _, part := range []struct {
		is   bool
		says string
	}{
		{f.Op != "", fmt.Sprintf("with %s", f.Op)},
		{f.Job != 0, fmt.Sprintf("of job %d", f.Job)},
		{f.Rate > 0, fmt.Sprintf("at a rate of %g", f.Rate)},
		{f.Next > 0, fmt.Sprintf("%d times", f.Next)},
		{f.Skip > 0, fmt.Sprintf("after %d more requests", f.Skip)},
		{f.After > 0, fmt.Sprintf("once %v have passed", f.After)},
	} {
		if part.is {
			fmt.Fprintf(&b, " %s", part.says)
		}
	}
	return b.String()
}

// FaultHelp lists the kinds, one a line.
func FaultHelp() string {
	var b strings.Builder
	for _, kind := range FaultKinds() {
		fmt.Fprintf(&b, "  %-18s %s\n", kind, kind.About())
	}
	return b.String()
}

// jobForm is a Job as it is asked for over HTTP.
type jobForm struct {
	ID     int64      `json:"id"`
	Kind   string     `json:"kind"`
	Parent int64      `json:"parent"`
	Client string     `json:"client"`
	Steps  []stepForm `json:"steps"`
}

type stepForm struct {
	After    duration     `json:"after"` // the request, in simulated time
	State    string       `json:"state"`
	Phase    string       `json:"phase"`
	Failures string       `json:"failures"`
	Reason   string       `json:"reason"`
	Code     string       `json:"code"`
	VMs      []vmForm     `json:"vms"`
	Clients  []clientForm `json:"clients"`
	Attempt  int64        `json:"attempt"`
	Stalled  bool         `json:"stalled"`
	Forgot   bool         `json:"forgot"`
	Mute     bool         `json:"mute"`
}

type vmForm struct {
	Name   string `json:"name"`
	GUID   string `json:"guid"`
	Reason string `json:"reason"`
	Job    int64  `json:"job"`
	Failed bool   `json:"failed"`
	Sync   int64  `json:"sync"`
}

type clientForm struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

var kindNames = map[string]Kind{
	"": FileSystem, "file-system": FileSystem, "virtual-server": VirtualServer, "restore": Restore,
	"disaster-recovery": DisasterRecovery, "verification": Verification,
}

// job is the job of a request that came at a simulated time.
func (form *jobForm) job(at time.Duration) (Job, error) {
	kind, known := kindNames[form.Kind]
	switch {
	case form.ID <= 0:
		return Job{}, errors.New("id: a job has a number above 0")
	case !known:
		return Job{}, fmt.Errorf("kind: there is no %q, but %q", form.Kind, slices.Sorted(maps.Keys(kindNames))[1:])
	case len(form.Steps) == 0:
		return Job{}, errors.New("steps: a job needs one at least")
	}
	job := Job{ID: form.ID, Kind: kind, Parent: form.Parent, Client: form.Client}
	for i := range form.Steps {
		step, err := form.Steps[i].step(at)
		if err != nil {
			return Job{}, fmt.Errorf("steps[%d]: %w", i, err)
		}
		job.Steps = append(job.Steps, step)
	}
	return job, nil
}

// aYear bounds what a clock can be asked for.
const aYear = 365 * 24 * time.Hour

const maxAttempts = 100 // each is an entry of every answer

func (form *stepForm) step(at time.Duration) (Step, error) {
	after := time.Duration(form.After)
	switch {
	case form.State == "" && !form.Forgot:
		return Step{}, errors.New("state: it needs one, unless it is forgot")
	case form.Attempt < 0 || form.Attempt > maxAttempts:
		return Step{}, fmt.Errorf("attempt: it is from 0 to %d, not %d", maxAttempts, form.Attempt)
	case after > aYear || after < -aYear:
		return Step{}, fmt.Errorf("after: %v is more than a year off", after)
	}
	s := Step{
		At: at + after, State: form.State, Phase: form.Phase, Failures: form.Failures, Reason: form.Reason,
		Code: form.Code, Attempt: form.Attempt, Stalled: form.Stalled, Forgot: form.Forgot, Mute: form.Mute,
	}
	for _, vm := range form.VMs {
		s.VMs = append(s.VMs, VM(vm))
	}
	for _, client := range form.Clients {
		s.Clients = append(s.Clients, Client(client))
	}
	return s, nil
}
