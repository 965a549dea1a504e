package store

import (
	"encoding/binary"
	"encoding/json"
	"hash"
	"hash/fnv"

	"jobwatch/internal/job"
)

// Digest sums up what is worth keeping of a snapshot. An active job's progress is not, nor are its
// machines' sizes: they are different in every answer.
func Digest(s *job.Snapshot) uint64 {
	sum := fnv.New64a()
	if s.Terminal {
		encoder := json.NewEncoder(sum)
		_ = encoder.Encode(s) // neither can fail
		_ = encoder.Encode(s.Machines)
		return sum.Sum64()
	}
	addTexts(sum, s.State, s.Phase, s.Client, s.DestinationClient, s.Agent, s.Instance, s.Backupset, s.Subclient,
		s.StoragePolicy, s.MediaAgent, s.Operation, s.BackupLevel, s.StartedBy, s.StartedFrom, s.SystemState,
		s.SoftwareCompression, s.Failures, s.Reason, s.ReasonCode)
	addNumbers(sum, s.Priority, s.ParentJob, s.Attempt)
	for _, vm := range s.Machines {
		addTexts(sum, job.Text(vm.Name), vm.Reason)
		addNumbers(sum, vm.Status)
	}
	return sum.Sum64()
}

func addTexts(sum hash.Hash64, texts ...job.Text) {
	for _, t := range texts {
		_, _ = sum.Write(append([]byte(t), 0))
	}
}

func addNumbers(sum hash.Hash64, numbers ...*int64) {
	for _, n := range numbers {
		if n == nil {
			_, _ = sum.Write([]byte{0})
			continue
		}
		_, _ = sum.Write(binary.LittleEndian.AppendUint64([]byte{1}, uint64(*n)))
	}
}
