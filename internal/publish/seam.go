package publish

import "jobwatch/internal/publish/internal/seam"

func init() {
	seam.Positions = func(publisher any) map[uint64]string {
		p := &publisher.(*Publisher).positions
		p.mu.Lock()
		defer p.mu.Unlock()
		known := map[uint64]string{}
		for _, position := range p.recent {
			if position.sequence > 0 {
				known[position.sequence] = position.id
			}
		}
		return known
	}
}
