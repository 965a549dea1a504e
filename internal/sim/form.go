package sim

import (
	"errors"
	"fmt"
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
