package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

// Page is a job for a person: what it does first, then who it is, when, how much, and which machines failed of what.
// What is not known is not there.
func Page(s Screen, c Clock, l *store.Listed) []string {
	p := page{screen: s, clock: c, job: l, of: &l.Snapshot}
	p.head()
	p.facts(p.names()...)
	p.facts(p.times()...)
	p.facts(p.sizes()...)
	p.machines()
	p.facts(p.own()...)
	return p.lines
}

// PrintPage prints a Page.
func PrintPage(s Screen, c Clock, l *store.Listed) error {
	_, err := lipgloss.Fprintln(s.Out, strings.Join(Page(s, c, l), "\n"))
	return err
}

type page struct {
	screen Screen
	clock  Clock
	job    *store.Listed
	of     *job.Snapshot
	lines  []string
}

type fact struct{ name, value string }

func (p *page) add(line string) { p.lines = append(p.lines, line) }

// head is the state, and why.
func (p *page) head() {
	l := lookOf(p.of.StateClass)
	state := cmp.Or(StateOf(p.job), "not seen yet")
	if p.of.Phase != "" {
		state += ", " + string(p.of.Phase)
	}
	if done := doneText(p.job); done != "" {
		state += ", " + done
	}
	name, mark := p.job.ID().String(), ""
	if p.screen.Terminal() {
		name, mark = bold.Render(name), l.sign(p.screen.Unicode)+" "
	}
	state = printable.Line(mark + state)
	if p.screen.Terminal() {
		state = l.style.Render(state)
	}
	p.add(name + "  " + state)
	for line := range strings.Lines(string(p.of.ReasonText())) {
		p.add("  " + printable.Line(strings.TrimRight(line, "\r\n")))
	}
	if v := p.of.VMs; v != nil && v.Failed > 0 {
		p.add(fmt.Sprintf("  %d of %s failed", v.Failed, count(v.Total, "machine")))
	}
	if p.of.ReasonCode != "" && p.of.Reason != "" {
		p.add("  code " + printable.Line(string(p.of.ReasonCode)))
	}
}

func (p *page) names() []fact {
	s := p.of
	return []fact{
		{"Client", string(s.Client)},
		{"To client", other(s.DestinationClient, s.Client)},
		{"Agent", string(s.Agent)},
		{"Instance", string(s.Instance)},
		{"Backup set", string(s.Backupset)},
		{"Subclient", string(s.Subclient)},
		{"Operation", joined(string(s.Operation), string(s.BackupLevel))},
		{"Storage policy", string(s.StoragePolicy)},
		{"Media agent", string(s.MediaAgent)},
		{"Started by", joined(string(s.StartedBy), string(s.StartedFrom))},
		{"Part of", p.named(s.ParentJob)},
	}
}

func (p *page) times() []fact {
	s := p.of
	took := "Took"
	if !s.Terminal {
		took = "Takes by now"
	}
	end := ""
	if s.Terminal {
		end = p.clock.Moment(EndOf(p.job))
		if s.EndTime == nil {
			end += ", or before: that is when it was seen"
		}
	}
	expected, inState, stalled := "", "", ""
	if !s.Terminal {
		expected = p.clock.Moment(s.EstimatedCompletionTime)
		inState, stalled = p.clock.Moment(p.job.Told.InStateSince()), p.clock.Moment(p.job.Told.GetsNoFurtherSince())
	}
	return []fact{
		{"Started", p.clock.Moment(s.StartTime)},
		{"Ended", end},
		{took, Span(TookOf(p.job, p.clock.Now()))},
		{"State since", inState},
		{"Stalled since", stalled},
		{"Expected end", expected},
		{"Attempt", numeral(s.Attempt)},
	}
}

func (p *page) sizes() []fact {
	s := p.of
	files := numeral(s.FilesTransferred)
	if total := numeral(s.TotalFiles); total != "" && files != "" {
		files += " of " + total
	} else if total != "" {
		files = total
	}
	return []fact{
		{"Application size", Bytes(s.SizeOfApplication)},
		{"Written", Bytes(s.DataWritten)},
		{"Over the network", Bytes(s.DataTransferred)},
		{"On media", Bytes(s.SizeOfMediaOnDisk)},
		{"Savings", tenths(s.SavingsPercent, " %")},
		{"Throughput", tenths(cmp.Or(s.Throughput, s.AverageThroughput, s.CurrentThroughput), " GB/h")},
		{"Files", files},
		{"Failed", failures(s)},
		{"Skipped", numeral(s.SkippedItems)},
	}
}

// own is what jobwatch itself knows of the job.
func (p *page) own() []fact {
	l := p.job
	events := fmt.Sprintf("%d told", l.Sequence)
	if l.Unsent > 0 {
		events += fmt.Sprintf(", of which %d wait for NATS", l.Unsent)
	}
	seen := l.Seen
	return []fact{
		{"Tracked", cmp.Or(Followed(l), "not any more")},
		{"Events", events},
		{"As of", p.clock.Moment(&seen)},
	}
}

// facts are a block of those that have a value.
func (p *page) facts(all ...fact) {
	all = slices.DeleteFunc(all, func(f fact) bool { return f.value == "" })
	if len(all) == 0 {
		return
	}
	p.add("")
	for _, f := range all {
		name := pad(f.name, 18)
		if p.screen.Terminal() {
			name = faint.Render(name)
		}
		p.add(name + printable.Line(f.value))
	}
}

const mostWell = 10 // machines that are well, of which a person needs no more

// machines are those that failed, by reason, then the others.
func (p *page) machines() {
	reasons := map[string][]*job.VM{}
	var well []*job.VM
	for i := range p.of.Machines {
		m := &p.of.Machines[i]
		if reason := strings.TrimSpace(string(m.Reason)); reason != "" {
			reasons[reason] = append(reasons[reason], m)
		} else {
			well = append(well, m)
		}
	}
	order := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(reasons[b]), len(reasons[a])), strings.Compare(a, b))
	})
	for _, reason := range order {
		p.add("")
		p.add(p.styled(red, fmt.Sprintf("%s failed: %s", count(len(reasons[reason]), "machine"), printable.Line(reason))))
		p.list(reasons[reason])
	}
	if len(well) > 0 {
		p.add("")
		p.add(fmt.Sprintf("%s without a failure", count(len(well), "machine")))
		p.list(well[:min(len(well), mostWell)])
		if more := len(well) - mostWell; more > 0 {
			p.add(fmt.Sprintf("  and %d more", more))
		}
	}
}

func (p *page) list(all []*job.VM) {
	for _, m := range all {
		about := []string{p.named(m.Job), string(m.Agent), string(m.Host), Bytes(m.UsedSpace), p.clock.Moment(m.StartTime)}
		about = slices.DeleteFunc(about, func(text string) bool { return text == "" })
		p.add("  " + printable.Line(strings.TrimSpace(pad(m.Name, 24)+"  "+strings.Join(about, ", "))))
	}
}

func (p *page) styled(style lipgloss.Style, text string) string {
	if !p.screen.Terminal() {
		return text
	}
	return style.Render(text)
}

// named is another job of the CommCell.
func (p *page) named(number *int64) string {
	if number == nil || *number <= 0 {
		return ""
	}
	return job.ID{CommCell: p.of.CommCell, Number: *number}.String()
}

// joined leaves out what Commvault does not know.
func joined(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(text string) bool { return text == "" || text == "Unknown" })
	return strings.Join(parts, ", ")
}

func other(name, than job.Text) string {
	if name == than {
		return ""
	}
	return string(name)
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// failures are Commvault's words of what failed, where something did.
func failures(s *job.Snapshot) string {
	if folders, files, ok := job.ParseFailures(s.Failures); ok && folders+files == 0 {
		return ""
	}
	return string(s.Failures)
}

func numeral(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func tenths(value *float64, unit string) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%.1f%s", *value, unit)
}
