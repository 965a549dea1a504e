package poller

import (
	"hash/maphash"
	"strings"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// cachedLine is what was last read of a job in the Job list, for a list sweep to see whether that changes. It is
// guarded by the Poller's mu.
type cachedLine struct {
	sum     uint64 // of what an event may be about; 0: never listed
	round   uint32 // the list that last named the job
	changed uint16 // how often it changed since the poll that settled it; 0: settled
	status  uint16 // marks of the words, to see whether details agree with them
	phase   uint16 // 0: it says none
	polls   uint8  // in a row whose answers did not agree with the line
}

var lineSeed = maphash.MakeSeed()

// lineSum sums up a line but for what is different at each reading: percent, update time, sizes. Its numbers
// are no part of a reason, as in an event's.
func lineSum(l *commvault.Line) uint64 {
	return max(1, maphash.Comparable(lineSeed, struct {
		status, phase, reason, code job.Text
		files, folders              int64
		started, ended              int64
	}{
		l.Status, l.Phase, l.Reason.WithoutNumbers(), l.ReasonCode,
		orNone(l.FailedFiles), orNone(l.FailedFolders), unixOrNone(l.StartTime), unixOrNone(l.EndTime),
	}))
}

func orNone(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func unixOrNone(t *time.Time) int64 {
	if t == nil {
		return -1
	}
	return t.Unix()
}

// wordMark is a mark of words as they are compared: without case and outer spaces. 0 is no words.
func wordMark(words job.Text) uint16 {
	text := strings.ToLower(strings.TrimSpace(string(words)))
	if text == "" {
		return 0
	}
	return max(1, uint16(maphash.String(lineSeed, text)))
}

// namesState says whether the list names the job and its state. A line without one says nothing of what may have changed.
func (s *cachedLine) namesState(round uint32) bool { return s.round == round && s.status != 0 }

func (s *cachedLine) read(l *commvault.Line, round uint32) (changed bool) {
	s.round = round
	sum := lineSum(l)
	if sum == s.sum {
		return false
	}
	s.sum, s.polls = sum, 0
	s.status, s.phase = wordMark(l.Status), wordMark(l.Phase)
	s.change()
	return true
}

func (s *cachedLine) change() { s.changed++ }

// readLines takes note of a page of the list.
func (p *Poller) readLines(lines []commvault.Line) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range lines {
		if s := p.cached[lines[i].Number]; s != nil {
			if s.line.read(&lines[i], p.round) {
				p.noteEnd(&lines[i])
			}
			s.showLine(lines[i].Percent, now)
		}
	}
}

func (p *Poller) beginList() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.round++
}

func (p *Poller) noteEnd(l *commvault.Line) {
	if job.LookUp(l.Status, false).Finished {
		p.ended[l.Number] = l.Status
	} else {
		delete(p.ended, l.Number)
	}
}

// listedEnd is the finished state that the last list names of a job; "": none.
func (p *Poller) listedEnd(number int64) job.Text {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.cached[number]; s == nil || !s.line.namesState(p.round) {
		return ""
	}
	return p.ended[number]
}

// addListedState gives a finished job the state of its line, where neither its details nor its summary tells one.
func (p *Poller) addListedState(s *job.Snapshot) bool {
	s.State = p.listedEnd(s.Number)
	s.Settle()
	return s.State != ""
}

// cacheFound has the lines of jobs noted that were not polled yet.
func (p *Poller) cacheFound(found []job.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range found {
		p.cachedLocked(id)
	}
}

const pollsToAgree = 3 // after so many, the list has its own words for what the details say

// settle takes note of an answer that was asked for when the line had changed so often. One that does not say what
// the line does is older than the line, whoever holds it back: another poll has to follow.
func (s *cachedLine) settle(changed uint16, seen *job.Snapshot) {
	if s.changed == 0 || s.changed != changed {
		return
	}
	agrees := s.status == wordMark(seen.State) && (s.phase == 0 || seen.Terminal || s.phase == wordMark(seen.Phase))
	if s.polls++; agrees || s.polls >= pollsToAgree {
		s.changed, s.polls = 0, 0
	}
}
