package sim

import (
	"encoding/json"
	"fmt"
	"time"
)

// object is a JSON object that is made once a job.
type object map[string]any

// open is the object without its last brace, for what changes to follow. It must not be empty.
func (o object) open() []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // only texts and numbers are put in
	}
	return text[:len(text)-1]
}

// quote is a JSON string. What is no UTF-8 becomes U+FFFD.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // no string makes Marshal fail
	}
	return string(quoted)
}

const gigabyte = 1 << 30

// details appends the answer of POST JobDetails. Sizes and times come as texts, as real ones do;
// an active job has no detailInfo, a finished one hardly any progressInfo.
func (m *moment) details(b []byte) []byte {
	b = append(b, `{"job":{"jobDetail":{"generalInfo":`...)
	b = append(b, m.general...)
	b = fmt.Appendf(b, `,"totalNumOfFiles":%d,"pendingReasonErrorCode":%s}`, m.fileCount(), m.code)
	switch {
	case m.Mute:
	case m.done:
		b = m.progressAfter(b)
	default:
		b = m.progress(b)
	}
	if m.done {
		b = m.detailInfo(b)
	}
	if m.machines != nil {
		b = append(b, `,"clientStatusInfo":{"vmStatus":`...)
		b = append(b, m.machines...)
		b = append(b, '}')
	}
	return append(b, `}}}`...)
}

func (m *moment) progress(b []byte) []byte {
	return fmt.Appendf(b, `,"progressInfo":{"reasonForJobDelay":%s,"state":%s,"currentPhase":%s,"percentComplete":%d,`+
		`"elapsedTime":%d,"estimatedCompletionTime":%d,"lastJobUpdateTime":%d,"numOfFilesTransferred":%d,`+
		`"sizeOfApplication":"%d","transferTime":"%d","averageThroughput":%.2f,"currentAttemptThroughput":%.2f,"failures":%s}`,
		m.reason, m.state, m.phase, m.percent(),
		m.freshSeconds(), m.expected(), m.updated().Unix(), m.doneFiles(),
		m.doneBytes(), m.seconds(), m.throughput(), m.throughput(), m.failures)
}

func (m *moment) progressAfter(b []byte) []byte {
	b = fmt.Appendf(b, `,"progressInfo":{"reasonForJobDelay":%s,"state":%s`, m.reason, m.state)
	if m.Kind == FileSystem || m.Kind == VirtualServer {
		b = fmt.Appendf(b, `,"numOfFilesTransferred":%d`, m.doneFiles())
	}
	return append(b, '}')
}

func (m *moment) detailInfo(b []byte) []byte {
	size := m.doneBytes()
	b = fmt.Appendf(b, `,"detailInfo":{"startTime":%d,"endTime":%d,"transferTime":"%d","sizeOfApplication":"%d",`+
		`"dataWritten":"%d","dataXferedNetwork":"%d","unCompressedBytes":%d,"compressedBytes":%d,"sizeOfMediaOnDisk":%d,`+
		`"numOfObjects":%d,"skippedItems":0,"savingsPercent":"%.2f","throughPut":"%.2f"`,
		m.began().Unix(), m.ending().Unix(), m.seconds(), size,
		m.written(), m.written()+m.written()/100, size, m.written(), m.written(),
		m.doneFiles(), m.savings(), m.throughput())
	if m.Failures != "" {
		b = fmt.Appendf(b, `,"failures":%s,"backupFolderFailures":%d,"backupFileFailures":%d,`+
			`"scanFolderFailures":0,"scanFileFailures":0`, m.failures, m.folders, m.files)
	}
	if m.Kind != Restore {
		b = append(b, `,"numOfStreams":4`...)
	}
	return append(b, '}')
}

func (m *moment) began() time.Time  { return m.config.wall(m.steps[0].At) }
func (m *moment) ending() time.Time { return m.config.wall(m.ended) }

// updated moves in steps of 300 simulated seconds, whatever happens in between, and to the end at the end.
func (m *moment) updated() time.Time {
	if m.done {
		return m.ending()
	}
	const every = 300 * time.Second
	age := m.at - m.steps[0].At
	first := time.Duration(mix(uint64(m.ID)) % uint64(every))
	if age < first {
		return m.began()
	}
	return m.config.wall(m.steps[0].At + first + (age-first)/every*every)
}

// expected is 0 before there is anything to reckon from.
func (m *moment) expected() int64 {
	if m.plan == 0 || m.portion == 0 {
		return 0
	}
	left := time.Duration((1 - m.portion) * float64(m.plan))
	return m.config.wall(m.at + left).Unix()
}

// seconds is the time at work by the CommServe's clock, pauses excluded.
func (m *moment) seconds() int64 {
	return int64(m.elapsed.Seconds() / m.config.Speed)
}

// freshSeconds differs from one answer to the next, also within one second: whoever takes two answers
// for the same because their bytes are shall not get away with it here.
func (m *moment) freshSeconds() int64 { return m.seconds()&^1 | m.answers.Add(1)&1 }

func (m *moment) percent() int     { return min(99, int(100*m.portion)) }
func (m *moment) doneBytes() int64 { return int64(m.portion * float64(m.totalBytes)) }
func (m *moment) doneFiles() int64 { return int64(m.portion * float64(m.totalFiles)) }

// fileCount is -999 where Commvault counts no files.
func (m *moment) fileCount() int64 {
	if m.Kind == FileSystem {
		return m.doneFiles()
	}
	return -999
}

func (m *moment) savings() float64 {
	if m.Kind == Restore {
		return 100 // of nothing written
	}
	return float64(mix(uint64(m.ID))%9000) / 100
}

func (m *moment) written() int64 { return int64(float64(m.doneBytes()) * (1 - m.savings()/100)) }

// throughput is in GB an hour.
func (m *moment) throughput() float64 {
	if m.elapsed == 0 {
		return 0
	}
	return float64(m.doneBytes()) / gigabyte / (m.elapsed.Hours() / m.config.Speed)
}
