package doctor

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

// checkCluster says who else is there, and whether this watcher may join them under its name.
func checkCluster(ctx context.Context, cfg *config.Config, running bool) []Finding {
	const what = "cluster"
	if !cfg.Cluster.Enabled {
		return nil
	}
	instance, err := cfg.Instance()
	if err != nil {
		return []Finding{broken(what, err)}
	}
	settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // as the check of NATS says
	}
	ctx, cancel := context.WithTimeout(ctx, 3*daemon.NATSPatience)
	defer cancel()
	var is cluster.Status
	err = stream.ProbeBucket(ctx, settings, cluster.BucketName(cfg.NATS.Stream), func(ctx context.Context, b stream.Bucket) (err error) {
		is, err = daemon.ReadCluster(ctx, b)
		return err
	})
	if err != nil {
		return []Finding{broken(what, err)}
	}
	return append([]Finding{checkInstance(is, instance, running)}, membersOf(daemon.Shown(is, cfg.CommCells), instance)...)
}

// checkInstance: a watcher of this store that runs is the one that has the name.
func checkInstance(is cluster.Status, instance string, running bool) Finding {
	const what = "cluster: instance"
	i := slices.IndexFunc(is.Members, func(m cluster.MemberStatus) bool { return m.Instance == instance && m.Alive })
	switch {
	case i < 0:
		return fine(what, "%s is free for this watcher", instance)
	case running:
		return fine(what, "%s is this watcher, which runs", instance)
	}
	return broken(what, &cluster.InUseError{Instance: instance, Host: is.Members[i].Host})
}

// membersOf says how the cluster stands that is there.
func membersOf(is cluster.Status, instance string) []Finding {
	var living, wrong []string
	for _, m := range is.Members {
		if m.Alive {
			living = append(living, m.Instance)
		} else if m.Instance != instance {
			wrong = append(wrong, m.Instance+" gives no sign of life")
		}
		if len(m.Differs) > 0 && m.Alive {
			wrong = append(wrong, m.Instance+" is configured differently: "+strings.Join(m.Differs, ", "))
		}
	}
	if len(living) == 0 {
		return []Finding{fine("cluster: members", "nobody is there now; run is the first")}
	}
	for _, c := range is.CommCells {
		if c.Owner == nil {
			wrong = append(wrong, "nobody polls "+c.Name)
		}
	}
	found := []Finding{fine("cluster: members", "%s", strings.Join(living, ", "))}
	if len(wrong) > 0 {
		found = append(found, doubtful("cluster: members", "%s; see watcher cluster status", strings.Join(wrong, "; ")))
	}
	return found
}
