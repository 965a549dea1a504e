package job

import (
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Kinds of changes, and the details that are no slug of a state or phase.
const (
	KindState    = "state"
	KindPhase    = "phase"
	KindFailure  = "failure"
	KindWatch    = "watch"
	KindCommCell = "commcell"

	DetailState       = "state"
	DetailItems       = "items"
	DetailVM          = "vm"
	DetailReason      = "reason"
	DetailLost        = "lost"
	DetailStalled     = "stalled"
	DetailResumed     = "resumed"
	DetailAttempt     = "attempt"
	DetailUnreachable = "unreachable"
	DetailReachable   = "reachable"
)

// Change is one difference between what was told of a job and what was seen of it.
type Change struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
	From   Text   `json:"from"`
	To     Text   `json:"to"`
	VM     string `json:"vm,omitempty"`     // failure.vm: the machine's name
	VMGUID string `json:"vmGuid,omitempty"` // failure.vm: its GUID; "": the server gives none
	VMJob  int64  `json:"vmJob,omitempty"`  // failure.vm: the number of the machine's own job; 0: it has none
	Code   Text   `json:"code,omitempty"`   // failure.reason: its error code
}

// Told is what the events of a job, in the order of the stream, have told of it. What vanishes
// without an event stays told; the exceptions are in Tell.
type Told struct {
	State        Text            `json:"state,omitempty"`
	StateBefore  Text            `json:"stateBefore,omitempty"`  // what the last state event came from
	FailureState bool            `json:"failureState,omitempty"` // failure.state was told of State
	Phase        Text            `json:"phase,omitempty"`
	Items        Text            `json:"items,omitempty"`   // the last text
	Folders      int64           `json:"folders,omitempty"` // the most of each
	Files        int64           `json:"files,omitempty"`
	Reason       Text            `json:"reason,omitempty"`
	ReasonCode   Text            `json:"reasonCode,omitempty"`
	VMs          map[string]Text `json:"vms,omitempty"` // failed machine => reason; see told_vms.go
	VMGUIDs      map[string]Text `json:"vmGuids,omitempty"`
	Attempt      Text            `json:"attempt,omitempty"`
	Stalled      bool            `json:"stalled,omitempty"`
	Lost         bool            `json:"lost,omitempty"`        // and not seen since
	Unreachable  bool            `json:"unreachable,omitempty"` // of a CommCell

	// When the events that told so were observed, in Unix seconds; 0: not known, as in a store of an older version. A
	// CommCell's state is whether it answers.
	StateSince   int64 `json:"stateSince,omitempty"`
	StalledSince int64 `json:"stalledSince,omitempty"` // 0 also where it is not stalled
}

// TellAll tells several changes, in their order, all of them observed at the same time.
func (t Told) TellAll(changes []Change, of *Snapshot, at time.Time) Told {
	cloned := false // the caller may still hold what was told before
	for i := range changes {
		if c := &changes[i]; c.Kind == KindFailure && c.Detail == DetailVM && !cloned {
			t.VMs, t.VMGUIDs, cloned = maps.Clone(t.VMs), maps.Clone(t.VMGUIDs), true
		}
		t = t.tell(&changes[i], of, unix(at))
	}
	return t
}

// Tell gives what has been told once the change is told too, in an event with the snapshot as its
// job and the time as its observedAt (zero: of no event). This is the one meaning of an event: the watcher that commits it and the watcher that reads
// it back from the stream fold it alike.
func (t Told) Tell(c Change, of *Snapshot, at time.Time) Told { return t.TellAll([]Change{c}, of, at) }

// InStateSince is when the event that told the state was observed; nil: not known.
func (t Told) InStateSince() *time.Time { return moment(t.StateSince) }

// GetsNoFurtherSince is when the job was told as stalled; nil: it is not, or that is not known.
func (t Told) GetsNoFurtherSince() *time.Time {
	if !t.Stalled {
		return nil
	}
	return moment(t.StalledSince)
}

func moment(unix int64) *time.Time {
	if unix == 0 {
		return nil
	}
	return new(time.Unix(unix, 0).UTC())
}

func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

func (t Told) tell(c *Change, of *Snapshot, at int64) Told {
	t.Lost = false // any other event is of a job that is there
	switch c.Kind {
	case KindState:
		return t.tellState(c, of.ReasonText() == "", at)
	case KindPhase:
		t.Phase = c.To
	case KindFailure:
		return t.tellFailure(c)
	case KindWatch:
		return t.tellWatch(c, at)
	case KindCommCell:
		t.Unreachable, t.StateSince = c.Detail == DetailUnreachable, at
	}
	return t
}

func (t Told) tellState(c *Change, noReason bool, at int64) Told {
	if c.From == "" {
		t = Told{}
	}
	t.State, t.StateBefore, t.FailureState, t.Stalled = c.To, c.From, false, false
	t.StateSince, t.StalledSince = at, 0
	if noReason {
		t.Reason, t.ReasonCode = "", ""
	}
	return t
}

func (t Told) tellWatch(c *Change, at int64) Told {
	switch c.Detail {
	case DetailLost:
		t.Lost = true
	case DetailStalled:
		t.Stalled, t.StalledSince = true, at
	case DetailResumed:
		t.Stalled, t.StalledSince = false, 0
	case DetailAttempt:
		t.Attempt = c.To
		t.Items, t.Folders, t.Files, t.VMs, t.VMGUIDs = "", 0, 0, nil, nil
	}
	return t
}

func (t Told) tellFailure(c *Change) Told {
	switch c.Detail {
	case DetailState:
		t.FailureState = true
	case DetailItems:
		folders, files, _ := ParseFailures(c.To)
		t.Items, t.Folders, t.Files = c.To, max(t.Folders, folders), max(t.Files, files)
	case DetailReason:
		t.Reason, t.ReasonCode = c.To, c.Code
	case DetailVM:
		t.tellVM(c)
	}
	return t
}

// ToldBy reads a snapshot as if all of it had been told: where a job's first events are gone from
// the stream, the job of the oldest that is left stands for them. Its machines' names are in no event.
func ToldBy(s *Snapshot) Told {
	told := Told{
		State: s.State, FailureState: Class(s.StateClass).Failing(), Phase: s.Phase,
		Reason: s.ReasonText(), ReasonCode: s.ReasonCode,
	}
	if folders, files, ok := ParseFailures(s.Failures); ok && folders+files > 0 {
		told.Items, told.Folders, told.Files = s.Failures, folders, files
	}
	if s.Attempt != nil {
		told.Attempt = Text(strconv.FormatInt(*s.Attempt, 10))
	}
	return told
}

// ParseFailures reads Commvault's "3 Folders, 12 Files".
func ParseFailures(text Text) (folders, files int64, ok bool) {
	first, second, _ := strings.Cut(string(text), ",")
	folders, okFolders := parseCount(first, "folder")
	files, okFiles := parseCount(second, "file")
	if !okFolders || !okFiles {
		return 0, 0, false
	}
	return folders, files, true
}

// parseCount reads "3 Folders". It runs at each poll, where a regular expression would cost as much as the store.
func parseCount(text, unit string) (int64, bool) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 || end > maxDigits || strings.ContainsAny(text[:end], "+-") {
		return 0, false
	}
	count, err := strconv.ParseInt(text[:end], 10, 64)
	word := strings.TrimSpace(text[end:])
	return count, err == nil && (strings.EqualFold(word, unit) || strings.EqualFold(word, unit+"s"))
}

const maxDigits = 18 // fit into 64 bits
