package lives

import (
	"context"

	"jobwatch/internal/cluster"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/stream"
)

// lies stand around the product and make it err: mistakes that the simulation has to find. The zero lies are none.
type lies struct {
	toldBroker func(publish.Broker) publish.Broker
	ownBroker  func(*process, publish.Broker) publish.Broker // the same, by who asks
	atWork     func(*process, cluster.Work) cluster.Work
	bucket     func(*process, stream.Bucket) stream.Bucket
	owed       func(*process, func(context.Context) error) func(context.Context) error // RunOwed of a CommCell that is another's
	toldSource func(poller.Source) poller.Source
	ownSource  func(*process, poller.Source) poller.Source
	onCommit   func(*process)
	onCrash    func(*world, *watcher)
}

func (l *lies) broker(p *process, b publish.Broker) publish.Broker {
	if l.ownBroker != nil {
		return l.ownBroker(p, b)
	}
	if l.toldBroker == nil {
		return b
	}
	return l.toldBroker(b)
}

func (l *lies) source(p *process, s poller.Source) poller.Source {
	if l.ownSource != nil {
		return l.ownSource(p, s)
	}
	if l.toldSource == nil {
		return s
	}
	return l.toldSource(s)
}

func (l *lies) crashed(w *world, x *watcher) {
	if l.onCrash != nil {
		l.onCrash(w, x)
	}
}

func (l *lies) working(p *process, w cluster.Work) cluster.Work {
	if l.atWork == nil {
		return w
	}
	return l.atWork(p, w)
}

func (l *lies) inBucket(p *process, b stream.Bucket) stream.Bucket {
	if l.bucket == nil {
		return b
	}
	return l.bucket(p, b)
}

func (l *lies) ofAnother(p *process, run func(context.Context) error) func(context.Context) error {
	if l.owed == nil {
		return run
	}
	return l.owed(p, run)
}
