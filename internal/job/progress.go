package job

import (
	"encoding/binary"
	"hash/fnv"
	"math"
)

// Progress sums up how far a job says it is: percent, files, bytes, phase and attempt, 16 bits of a hash
// each, so that 100,000 jobs' fit into memory. It can be compared, and nothing else.
type Progress [12]uint16

// Next is the progress once a snapshot has been seen. What that does not say is as it was.
func (p Progress) Next(s *Snapshot) Progress {
	if s.PercentComplete != nil {
		p[0] = mark(binary.LittleEndian.AppendUint64(nil, math.Float64bits(*s.PercentComplete)))
	}
	for i, count := range []*int64{
		s.TotalFiles, s.FilesTransferred, s.Objects, s.SizeOfApplication, s.DataWritten, s.DataTransferred,
		s.UncompressedBytes, s.CompressedBytes, s.SizeOfMediaOnDisk, s.Attempt,
	} {
		if count != nil {
			p[1+i] = mark(binary.LittleEndian.AppendUint64(nil, uint64(*count)))
		}
	}
	if s.Phase != "" {
		p[len(p)-1] = mark([]byte(fold(s.Phase)))
	}
	return p
}

// mark is never 0, which stands for nothing said.
func mark(value []byte) uint16 {
	sum := fnv.New32a()
	_, _ = sum.Write(value)
	return max(uint16(sum.Sum32()^sum.Sum32()>>16), 1)
}
