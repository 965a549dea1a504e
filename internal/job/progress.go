package job

import "math"

// Progress sums up how far a job says it is: percent, files, bytes, phase and attempt, a fingerprint of 16 bits
// each, so that those of 100,000 jobs fit into memory. It can be compared, and nothing else.
type Progress [12]uint16

// Next is the progress once a snapshot has been seen. What the snapshot does not say stays as it was.
func (p Progress) Next(s *Snapshot) Progress {
	if s.PercentComplete != nil {
		p[0] = fingerprint(math.Float64bits(*s.PercentComplete))
	}
	for i, count := range []*int64{
		s.TotalFiles, s.FilesTransferred, s.Objects, s.SizeOfApplication, s.DataWritten, s.DataTransferred,
		s.UncompressedBytes, s.CompressedBytes, s.SizeOfMediaOnDisk, s.Attempt,
	} {
		if count != nil {
			p[1+i] = fingerprint(uint64(*count))
		}
	}
	if s.Phase != "" {
		p[len(p)-1] = fingerprintText(s.Phase)
	}
	return p
}

// fingerprint is never 0, which stands for nothing said. Multiplied by the golden ratio, numbers that lie near each
// other have fingerprints that do not.
func fingerprint(n uint64) uint16 {
	const golden = 0x9e3779b97f4a7c15
	return max(uint16(n*golden>>48), 1)
}

func fingerprintText(text Text) uint16 {
	var sum uint64
	for _, b := range []byte(text) {
		sum = sum*31 + uint64(b)
	}
	return fingerprint(sum)
}
