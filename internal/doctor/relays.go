package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/relay"
)

// checkRelays tries the destination of each relay, all at the same time, without a message to people.
func checkRelays(ctx context.Context, cfg *config.Config, version string) []Finding {
	found := make([]chan Finding, len(cfg.Relays))
	for i, r := range cfg.Relays {
		found[i] = make(chan Finding, 1)
		go func() { found[i] <- checkRelay(ctx, r, version) }()
	}
	all := make([]Finding, len(found))
	for i := range found {
		all[i] = <-found[i]
	}
	return all
}

func checkRelay(ctx context.Context, r config.Relay, version string) Finding {
	what := "relay " + r.Name
	to, err := daemon.OpenDestination(r, version, daemon.NoMemory(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return broken(what, err)
	}
	if closer, has := to.(io.Closer); has {
		defer closer.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.Timeout)
	defer cancel()
	found := checked[daemon.DestinationOf(r)]
	if looks, can := to.(interface {
		Look(ctx context.Context) (found string, err error)
	}); can {
		found, err = looks.Look(ctx)
	} else {
		err = to.Check(ctx)
	}
	if refusal, is := errors.AsType[*relay.Refusal](err); is && refusal.Kind == relay.Away && strings.HasPrefix(refusal.Reason, "no connection") {
		err = fmt.Errorf("%w; mend the relay's address, or start what is to answer there", err)
	}
	if err != nil {
		return broken(what, err)
	}
	return fine(what, "%s", found)
}

// checked is what was found to be well, where the destination itself does not say it.
var checked = map[string]string{
	"webhook": "the receiver can be connected to; nothing was sent",
	"email":   "the mail server answers, and accepts the login if there is one; nothing was sent",
	"audit":   "the folder can be written",
}
