package diff_test

import (
	"fmt"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// A job that was told as running fails in an item, and later ends.
func ExampleSince() {
	told := job.Told{State: "Running", Phase: "Backup"}
	for _, seen := range []job.Snapshot{
		{State: "Running", Phase: "Backup", Failures: "0 Folders, 2 Files"},
		{State: "Completed w/ one or more errors", Failures: "0 Folders, 2 Files"},
	} {
		seen.Settle()
		for _, change := range diff.Since(told, &seen) {
			fmt.Printf("%s.%s: %s → %s\n", change.Kind, change.Detail, change.From, change.To)
			told = told.Tell(change, &seen, time.Time{})
		}
	}
	// Output:
	// failure.items:  → 0 Folders, 2 Files
	// state.completed_with_errors: Running → Completed w/ one or more errors
	// failure.state: Running → Completed w/ one or more errors
}
