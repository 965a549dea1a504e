package publish

// What stands in this file is for simulations alone.

// Places gives the ids of the events that are known to stand in the stream, by sequence.
func (p *Publisher) Places() map[uint64]string {
	p.positions.mu.Lock()
	defer p.positions.mu.Unlock()
	known := map[uint64]string{}
	for _, s := range p.positions.recent {
		if s.sequence > 0 {
			known[s.sequence] = s.id
		}
	}
	return known
}
