package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

var (
	kinds      = []string{job.KindState, job.KindPhase, job.KindFailure, job.KindWatch, job.KindCommCell}
	severities = []string{string(job.Info), string(job.Warning), string(job.Error)} // the least first
)

// eventFilter says which events are wanted; empty members take all.
type eventFilter struct {
	event.Selection // by which NATS selects

	job, client, severity string
	classes               []string
}

func (f *eventFilter) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.CommCell, "commcell", "", "only events of this `CommCell`")
	flags.StringVar(&f.job, "job", "", "only events of this `job`, as prod/1248")
	flags.StringVar(&f.client, "client", "", "only events of this `client`'s jobs; * and ? stand for any characters, and any one")
	flags.StringVar(&f.Kind, "kind", "", "only events of this `kind`: "+strings.Join(kinds, ", "))
	flags.StringVar(&f.severity, "severity", "", "only events of this `severity` and above: "+strings.Join(severities, ", "))
	flags.StringSliceVar(&f.classes, "class", nil, "only events of jobs whose state is then of this `class`, or one of several: "+strings.Join(classes, ", "))
	for flag, values := range map[string][]string{"kind": kinds, "severity": severities, "class": classes} {
		completeFlag(c, flag, fixed(values...))
	}
	completeFlag(c, "job", func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return completeJobs(c, nil, begun)
	})
	completeNames(c)
}

func (f *eventFilter) check() error {
	for _, flag := range []struct {
		name  string
		given []string
		known []string
	}{{"kind", []string{f.Kind}, kinds}, {"severity", []string{f.severity}, severities}, {"class", f.classes, classes}} {
		for _, value := range flag.given {
			if value != "" && !slices.Contains(flag.known, value) {
				return fmt.Errorf("--%s %s: no %s; there are %s", flag.name, value, flag.name, strings.Join(flag.known, ", "))
			}
		}
	}
	if !strings.ContainsAny(f.client, "*?[") { // then NATS finds it
		f.Client = f.client
	}
	if err := checkGlob("--client", f.client); err != nil || f.job == "" {
		return err
	}
	id, err := job.ParseID(f.job)
	if err != nil {
		return fmt.Errorf("--job: %w", err)
	}
	f.CommCell, f.Job = id.CommCell, id.Number
	return nil
}

// takes judges what NATS did not.
func (f *eventFilter) takes(m stream.Message) bool {
	if f.severity == "" && len(f.classes) == 0 && f.client == f.Client {
		return true
	}
	e, err := event.Parse(m.Data)
	if err != nil {
		return false
	}
	if e.IsCommCell() {
		data, err := e.CommCell()
		return err == nil && f.takesSeverity(data.Severity) && len(f.classes) == 0 && f.client == ""
	}
	data, err := e.Job()
	return err == nil && f.takesSeverity(data.Severity) &&
		(len(f.classes) == 0 || slices.Contains(f.classes, string(data.Job.StateClass))) &&
		(f.client == "" || job.Like(f.client, string(data.Job.Client)))
}

func (f *eventFilter) takesSeverity(s job.Severity) bool {
	return f.severity == "" || slices.Index(severities, string(s)) >= slices.Index(severities, f.severity)
}
