package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// ledger is what this service does: it writes each event into a file, a line each. An event is given twice where its
// acknowledgement got lost, so the ids of those that are written are remembered. They are in the same line as the effect,
// and so no crash can come between the two; a database would have both in one transaction.
type ledger struct {
	*os.File
	ids map[string]bool
}

// event is what this service wants of an event; docs/subjects-and-events.md has the rest.
type event struct {
	ID           string `json:"id"`
	PartitionKey string `json:"partitionkey"` // prod/1248: the job
	Sequence     string `json:"sequence"`     // counts its events
	Data         struct {
		Severity string `json:"severity"`
		Change   struct {
			Kind string  `json:"kind"`
			From *string `json:"from"`
			To   *string `json:"to"`
		} `json:"change"`
	} `json:"data"`
}

func openLedger(name string) (*ledger, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{File: file, ids: map[string]bool{}}
	if err := l.read(); err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// read reads the ids of what is written. A line that a crash has cut short is no line: its event comes again.
func (l *ledger) read() error {
	var whole int64
	for lines := bufio.NewReader(l.File); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return l.Truncate(whole)
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s: %w", l.Name(), err)
		}
		l.ids[e.ID] = true
		whole += int64(len(line))
	}
}

// add writes an event to the disk, once.
func (l *ledger) add(data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	if l.ids[e.ID] {
		return nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		return err
	}
	line.WriteByte('\n')
	if _, err := l.Write(line.Bytes()); err != nil {
		return err
	}
	if err := l.Sync(); err != nil {
		return err
	}
	l.ids[e.ID] = true
	fmt.Printf("%s #%s %s: %q -> %q (%s)\n", e.PartitionKey, e.Sequence, e.Data.Change.Kind, word(e.Data.Change.From), word(e.Data.Change.To), e.Data.Severity)
	return nil
}

func word(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
