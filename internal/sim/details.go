package sim

import (
	"time"
)

const gigabyte = 1 << 30

// details is the answer of JobDetails. Sizes and times come as texts, as real ones do; an active job has
// no detailInfo, a finished one hardly any progressInfo.
func (m *moment) details(w *writer) {
	w.object("job", func() {
		w.object("jobDetail", func() { m.jobDetail(w) })
	})
}

func (m *moment) jobDetail(w *writer) {
	w.object("generalInfo", func() {
		w.number("totalNumOfFiles", m.fileCount())
		w.text("pendingReasonErrorCode", m.Code)
		w.put(m.general)
	})
	switch {
	case m.Mute:
	case m.done:
		w.object("progressInfo", func() { m.progressAfter(w) })
	default:
		w.object("progressInfo", func() { m.progress(w) })
	}
	if m.done {
		w.object("detailInfo", func() { m.detailInfo(w) })
	}
	if m.machines != nil {
		w.object("clientStatusInfo", func() { m.machines.write(w) })
	}
	if m.tries > 0 {
		m.attemptsInfo(w)
	}
}

func (m *moment) progress(w *writer) {
	w.text("reasonForJobDelay", m.Reason)
	w.text("state", m.State)
	w.text("currentPhase", m.Phase)
	w.number("percentComplete", int64(m.percent()))
	w.number("elapsedTime", m.freshSeconds())
	w.number("estimatedCompletionTime", m.expected())
	w.number("lastJobUpdateTime", m.updated().Unix())
	w.number("numOfFilesTransferred", m.doneFiles())
	w.numeral("sizeOfApplication", m.doneBytes())
	w.numeral("transferTime", m.seconds())
	w.ratio("averageThroughput", m.throughput())
	w.ratio("currentAttemptThroughput", m.throughput())
	w.text("failures", m.Failures)
}

func (m *moment) progressAfter(w *writer) {
	w.text("reasonForJobDelay", m.Reason)
	w.text("state", m.State)
	if m.isBackup() {
		w.number("numOfFilesTransferred", m.doneFiles())
	}
}

func (m *moment) detailInfo(w *writer) {
	w.number("startTime", m.began().Unix())
	w.number("endTime", m.ending().Unix())
	w.numeral("transferTime", m.seconds())
	w.numeral("sizeOfApplication", m.doneBytes())
	w.numeral("dataWritten", m.written())
	w.numeral("dataXferedNetwork", m.written()+m.written()/100)
	w.size("unCompressedBytes", m.doneBytes())
	w.size("compressedBytes", m.written())
	w.size("sizeOfMediaOnDisk", m.written())
	w.number("numOfObjects", m.doneFiles())
	w.number("skippedItems", 0)
	w.ratioText("savingsPercent", m.savings())
	w.ratioText("throughPut", m.throughput())
	if m.Failures != "" {
		m.failureCounts(w)
	}
	if m.Kind != Restore {
		w.number("numOfStreams", 4)
	}
}

func (m *moment) failureCounts(w *writer) {
	w.text("failures", m.Failures)
	w.number("backupFolderFailures", m.folders)
	w.number("backupFileFailures", m.files)
	w.number("scanFolderFailures", 0)
	w.number("scanFileFailures", 0)
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
