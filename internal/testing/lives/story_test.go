package lives

import (
	"fmt"
	"strings"

	"jobwatch/internal/event"
)

// alias names an event by the process that minted it, and its number there: an epoch is random.
func (w *world) alias(id string) string {
	epoch, number, _ := strings.Cut(id, "-")
	if w.names[epoch] == "" {
		w.names[epoch] = fmt.Sprintf("m%d", len(w.names)+1)
	}
	return w.names[epoch] + "-" + strings.TrimLeft(number, "0")
}

func describe(e event.Event) string {
	if e.IsCommCell() {
		data, _ := e.CommCell()
		return data.Detail
	}
	data, err := e.Job()
	if err != nil {
		return err.Error()
	}
	c := data.Change
	return fmt.Sprintf("of %d: %s.%s %s: %s → %s", data.Job.Number, c.Kind, c.Detail, c.VM, c.From, c.To)
}

// tells gives what the stream holds in the end.
func (w *world) tells() string {
	var all strings.Builder
	for _, m := range w.stream.Messages() {
		e, err := event.Parse(m.Data)
		if err != nil {
			continue
		}
		fmt.Fprintf(&all, "%4d  %s #%d %s\n", m.Sequence, w.alias(m.ID), e.Number(), describe(e))
	}
	return all.String()
}

// firstDifference gives the lines around the first one in which two stories differ.
func firstDifference(a, b string) string {
	first, second := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(first) && i < len(second) && first[i] == second[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, min(i, len(lines))-5):min(len(lines), i+3)], "\n")
	}
	return around(first) + "\n--- and\n" + around(second)
}
