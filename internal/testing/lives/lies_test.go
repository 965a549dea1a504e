package lives

import (
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
)

// lies stand around the product and make it err: mistakes that the simulation has to find. The zero lies are none.
type lies struct {
	toldBroker func(publish.Broker) publish.Broker
	toldSource func(poller.Source) poller.Source
	onCommit   func(*process)
	onCrash    func(*world, *watcher)
}

func (l *lies) broker(b publish.Broker) publish.Broker {
	if l.toldBroker == nil {
		return b
	}
	return l.toldBroker(b)
}

func (l *lies) source(s poller.Source) poller.Source {
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
