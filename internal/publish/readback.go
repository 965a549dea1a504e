package publish

import "context"

// ReadBack reads the stream once, as the start of Run does, and publishes nothing: the store then knows what
// was told.
func (p *Publisher) ReadBack(ctx context.Context) error { return p.catchUp(ctx) }
