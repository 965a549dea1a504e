package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/control"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

var classes = []string{
	string(job.Active), string(job.Queued), string(job.Held), string(job.Succeeded),
	string(job.Partial), string(job.Failed), string(job.Killed), string(job.Unknown),
}

// jobFilter says which jobs are wanted; empty members take all.
type jobFilter struct {
	control.Selection // what the watcher selects by itself

	classes               []string
	client, since         string
	failed, stalled, held bool
	tracked               bool
}

// check reads what was typed.
func (f *jobFilter) check(now time.Time) (err error) {
	if f.EndedSince, err = sinceWhen(f.since, now); err != nil {
		return err
	}
	for _, class := range f.classes {
		if !slices.Contains(classes, class) {
			return fmt.Errorf("--class %s: no class; there are %s", class, strings.Join(classes, ", "))
		}
	}
	f.Classes = f.wantedClasses()
	return checkGlob("--client", f.client)
}

// wantedClasses are those of --class, --failed and --held together.
func (f *jobFilter) wantedClasses() (wanted []job.Class) {
	for _, class := range f.classes {
		wanted = append(wanted, job.Class(class))
	}
	if f.failed {
		wanted = append(wanted, job.Failed, job.Partial, job.Killed)
	}
	if f.held {
		wanted = append(wanted, job.Held)
	}
	return wanted
}

// takes judges what the watcher did not.
func (f *jobFilter) takes(l *store.Listed) bool {
	return (f.client == "" || job.Like(f.client, string(l.Snapshot.Client))) &&
		(!f.stalled || l.Told.Stalled && !l.Snapshot.Terminal) &&
		(!f.tracked || l.Why != "" && l.Why != store.Untracked)
}

func checkGlob(flag, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil && strings.ContainsAny(pattern, "*?") {
		return fmt.Errorf("%s %s: no pattern; * and ? stand for any characters, and any one", flag, pattern)
	}
	return nil
}
