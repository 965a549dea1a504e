package event_test

import (
	"encoding/json"
	"fmt"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// What a poll finds becomes events; reading them from the stream, in order, gives what was told of the job.
func ExampleFold() {
	minter := event.NewMinter(nil)
	var stream [][]byte
	var told job.Told
	for _, state := range []job.Text{"Waiting", "Running", "Completed"} {
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 1248, State: state}, Answered: time.Now()}
		for _, change := range diff.Since(told, &seen.Snapshot) {
			e, err := minter.Job(uint64(len(stream)+1), change, seen, time.Time{})
			if err != nil {
				panic(err)
			}
			message, err := json.Marshal(e)
			if err != nil {
				panic(err)
			}
			stream = append(stream, message)
			told = told.Tell(change, &seen.Snapshot, seen.Answered)
		}
	}

	var fold event.Fold
	for i, message := range stream {
		fold.Add(uint64(i+1), message)
	}
	fmt.Printf("told %s, before it %s, in %d events\n", fold.Told.State, fold.Told.StateBefore, fold.Last.Number())
	// Output: told Completed, before it Running, in 3 events
}
