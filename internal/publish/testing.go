package publish

// What stands in this file is for simulations alone.

// Places gives the ids of the events that are known to stand in the stream, by sequence.
func (p *Publisher) Places() map[uint64]string {
	p.places.mu.Lock()
	defer p.places.mu.Unlock()
	known := map[uint64]string{}
	for _, s := range p.places.recent {
		if s.sequence > 0 {
			known[s.sequence] = s.id
		}
	}
	return known
}
