package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

// leavePatience is several times what it takes to end what is under way and to send what waits.
const leavePatience = 20 * time.Second

// leave also waits until others poll what the member has polled.
func leave(ctx context.Context, out io.Writer, cfg *config.Config, b stream.Bucket, instance string) error {
	before, err := cluster.Read(ctx, b)
	if err != nil {
		return err
	}
	if err := cluster.Leave(ctx, b, instance); err != nil {
		return err
	}
	had := polledBy(before, instance)
	deadline := time.Now().Add(leavePatience)
	for {
		now, err := cluster.Read(ctx, b)
		if err != nil {
			return err
		}
		left := daemon.Shown(now, cfg.CommCells)
		if owned := polledBy(now, instance); len(owned) == 0 && (nobodyElse(now, instance) || !slices.Contains(owners(left, had), "")) {
			return sayLeft(out, left, instance, had)
		} else if time.Now().After(deadline) && len(owned) > 0 {
			return fmt.Errorf("%s was told to leave, and has not given away %s in %v; see what it logs, and end its process if that helps nothing",
				instance, strings.Join(owned, ", "), leavePatience)
		} else if time.Now().After(deadline) {
			return sayLeft(out, left, instance, had)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// polledBy are the CommCells that a member has claimed.
func polledBy(s cluster.Status, instance string) []string {
	for _, m := range s.Members {
		if m.Instance == instance {
			return m.CommCells
		}
	}
	return nil
}

func nobodyElse(s cluster.Status, instance string) bool {
	return !slices.ContainsFunc(s.Members, func(m cluster.MemberStatus) bool { return m.Instance != instance && m.Alive && !m.Leaving })
}

func owners(s cluster.Status, cells []string) []string {
	all := make([]string, len(cells))
	for i, cell := range cells {
		all[i] = s.Owner(cell)
	}
	return all
}

// sayLeft says who polls now what a member has given away.
func sayLeft(out io.Writer, s cluster.Status, instance string, had []string) error {
	if len(had) == 0 {
		_, err := fmt.Fprintf(out, "%s polls nothing, and takes nothing more until its next start\n", instance)
		return err
	}
	given := make([]string, len(had))
	for i, owner := range owners(s, had) {
		if given[i] = had[i] + " (" + owner + " polls it)"; owner == "" {
			given[i] = had[i] + " (nobody polls it)"
		}
	}
	text := fmt.Sprintf("%s has given away %s; it takes nothing more until its next start", instance, strings.Join(given, ", "))
	if slices.Contains(owners(s, had), "") {
		text += "\nnobody else is there to poll what nobody polls: start a watcher, or " + instance + " again"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
