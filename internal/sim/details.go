package sim

import (
	"strconv"
	"time"
)

const gigabyte = 1 << 30

// details is the answer of JobDetails. Sizes and times come as texts, as real ones do; an active job has
// no detailInfo, a finished one hardly any progressInfo.
func (m *moment) details() node {
	parts := make(node, 0, 4)
	parts = append(parts, object("generalInfo", node{
		m.general, number("totalNumOfFiles", m.fileCount()), text("pendingReasonErrorCode", m.Code),
	}))
	switch {
	case m.Mute:
	case m.done:
		parts = append(parts, object("progressInfo", m.progressAfter()))
	default:
		parts = append(parts, object("progressInfo", m.progress()))
	}
	if m.done {
		parts = append(parts, object("detailInfo", m.detailInfo()))
	}
	if m.VMs != nil {
		parts = append(parts, object("clientStatusInfo", node{m.machines}))
	}
	return node{object("job", node{object("jobDetail", parts)})}
}

func (m *moment) progress() node {
	return node{
		text("reasonForJobDelay", m.Reason), text("state", m.State), text("currentPhase", m.Phase),
		number("percentComplete", int64(m.percent())), number("elapsedTime", m.freshSeconds()),
		number("estimatedCompletionTime", m.expected()), number("lastJobUpdateTime", m.updated().Unix()),
		number("numOfFilesTransferred", m.doneFiles()), numeral("sizeOfApplication", m.doneBytes()),
		numeral("transferTime", m.seconds()), ratio("averageThroughput", m.throughput()),
		ratio("currentAttemptThroughput", m.throughput()), text("failures", m.Failures),
	}
}

func (m *moment) progressAfter() node {
	n := node{text("reasonForJobDelay", m.Reason), text("state", m.State)}
	if m.isBackup() {
		n = append(n, number("numOfFilesTransferred", m.doneFiles()))
	}
	return n
}

func (m *moment) detailInfo() node {
	n := node{
		number("startTime", m.began().Unix()), number("endTime", m.ending().Unix()), numeral("transferTime", m.seconds()),
		numeral("sizeOfApplication", m.doneBytes()), numeral("dataWritten", m.written()),
		numeral("dataXferedNetwork", m.written()+m.written()/100), size("unCompressedBytes", m.doneBytes()),
		size("compressedBytes", m.written()), size("sizeOfMediaOnDisk", m.written()), number("numOfObjects", m.doneFiles()),
		number("skippedItems", 0), text("savingsPercent", hundredths(m.savings())), text("throughPut", hundredths(m.throughput())),
	}
	if m.Failures != "" {
		n = append(n, text("failures", m.Failures), number("backupFolderFailures", int64(m.folders)),
			number("backupFileFailures", int64(m.files)), number("scanFolderFailures", 0), number("scanFileFailures", 0))
	}
	if m.Kind != Restore {
		n = append(n, number("numOfStreams", 4))
	}
	return n
}

func hundredths(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

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
