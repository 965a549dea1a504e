package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// admin is that of the running watcher, or one on the store's file itself.
type admin interface {
	Jobs(ctx context.Context, after job.ID, limit int) ([]store.Listed, error)
	selector
	Job(ctx context.Context, id job.ID) (store.Listed, error)
	Track(ctx context.Context, id job.ID) error
	Untrack(ctx context.Context, id job.ID) error
	Stat(ctx context.Context) (store.Stat, error)
	Verify(ctx context.Context) (store.Verified, error)
	Backup(ctx context.Context, file string) (bytes int64, err error)
}

// withAdmin runs do for the watcher of the configuration that the command names. A store is made only for what is to be
// written into it.
func withAdmin(c *cobra.Command, writes bool, do func(admin) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	file, _ := c.Flags().GetString("config")
	client, err := control.Dial(cfg.Store.Path)
	if err == nil {
		return fail(do(client))
	}
	if !errors.Is(err, control.ErrNobody) {
		return fail(err)
	}
	if _, err := os.Stat(cfg.Store.Path); !writes && errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("%s: no such store, and no watcher is running; start one with: watcher run -c %s", cfg.Store.Path, file))
	}
	st, err := store.Open(cfg.Store.Path, event.NewMinter(cfg.Severity))
	if err != nil {
		return fail(err)
	}
	cells := func() map[string]control.CommCell { return daemon.CommCells(cfg.CommCells, file, nil) }
	on := &control.Admin{Store: st, CommCells: cells}
	if cfg.Cluster.Enabled {
		on.TellOwner = daemon.TellOwner(cfg)
	}
	return fail(errors.Join(do(on), st.Close()))
}

// loadConfig is for who looks, and may lack secrets; loadToRun for who asks a CommServe, or delivers; loadToWatch for who
// also opens a socket.
func loadConfig(c *cobra.Command) (*config.Config, error) {
	file, _ := c.Flags().GetString("config")
	if cfg, err := config.Load(file); err == nil {
		return cfg, daemon.CheckRelays(cfg)
	}
	return config.LoadToLook(file)
}

func loadToRun(c *cobra.Command) (*config.Config, error) {
	file, _ := c.Flags().GetString("config")
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return cfg, daemon.CheckRelays(cfg)
}

func loadToWatch(c *cobra.Command) (*config.Config, error) {
	cfg, err := loadToRun(c)
	if err != nil {
		return nil, err
	}
	return cfg, daemon.CheckSocket(cfg)
}

// loadKnowing is loadConfig where a flag may name a CommCell of it; "" is all of them.
func loadKnowing(c *cobra.Command, commCell string) (*config.Config, error) {
	cfg, err := loadConfig(c)
	known := func(cell config.CommCell) bool { return cell.Name == commCell }
	if err == nil && commCell != "" && !slices.ContainsFunc(cfg.CommCells, known) {
		err = fmt.Errorf("--commcell %s: the configuration names %s", commCell, names(cfg.CommCells))
	}
	return cfg, err
}
