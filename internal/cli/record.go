package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/printable"
	"jobwatch/internal/record"
)

// recording is the record command's flags.
type recording struct {
	long     time.Duration
	commCell string
	renumber bool
	most     int // MiB
}

func newRecord() *cobra.Command {
	r := &recording{}
	c := &cobra.Command{
		Use:   "record DIR",
		Short: "Keep what a CommServe answers for a while, without names, to be given away",
		Long: "record polls a CommCell as run does, beside a running watcher or without one, publishes nothing, and writes\n" +
			"what the CommServe answers into a new folder. Every name, host, user, address, text and token in it is\n" +
			"replaced by a stand-in, the same one for the same original, and nothing leads back to that. What stays are\n" +
			"the structure, numbers, times, and the words that the product itself has for states, phases and the like.\n\n" +
			"Look at the record before you give it away: watcher inspect DIR. It is played by watcher sim --replay DIR.",
		Example: "  watcher record /tmp/record --for 30m\n  watcher record /tmp/record -c /etc/jobwatch/watcher.yaml --commcell prod --renumber",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeDir,
		RunE:              func(c *cobra.Command, args []string) error { return r.run(c, args[0]) },
	}
	flags := c.Flags()
	flags.DurationVar(&r.long, "for", 10*time.Minute, "how long; 0: until Ctrl-C")
	flags.StringVar(&r.commCell, "commcell", "", "which `name` of the configuration; needed where it has several")
	flags.BoolVar(&r.renumber, "renumber", false, "give jobs, clients and all else that has an id another one")
	flags.IntVar(&r.most, "max-size", 100, "where the record ends, in `MiB`")
	completeFlag(c, "commcell", completeCommCell)
	return c
}

func (r *recording) run(c *cobra.Command, dir string) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	cell, err := r.cell(cfg)
	switch {
	case err != nil:
		return err
	case r.long < 0:
		return errors.New("--for must not be below 0")
	case r.most < 1 || r.most > 1000:
		return errors.New("--max-size must be from 1 to 1000")
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	if r.long > 0 { // a deadline would make time-outs of what is under way then
		defer time.AfterFunc(r.long, cancel).Stop()
	}
	w, err := record.Create(record.Config{
		Dir: dir, URL: cell.URL, Asked: cell.Format, Schedule: cell.Schedule, Version: version(), Renumber: r.renumber,
		MaxSize: int64(r.most) << 20, Ended: cancel,
	})
	if err != nil {
		return fail(err)
	}
	outliveReaders()
	log, _ := newLog(c.ErrOrStderr(), cfg.Log)
	log.Info("recording", "commcell", cell.Name, "into", dir, "for", r.long)
	unpolled := daemon.Record(ctx, cell, w.Tap, log)
	stats, unwritten := w.Close()
	if errors.Is(unwritten, record.ErrFull) {
		log.Warn("the record has come to --max-size, and ends there")
		unwritten = nil
	}
	if err := errors.Join(unpolled, unwritten); err != nil {
		return fail(err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), recorded, printable.Line(filepath.Join(dir, record.FileName)), stats.Entries, stats.Answered, len(stats.Jobs),
		float64(stats.Size)/(1<<20), printable.Line(dir))
	return fail(err)
}

const recorded = `%s: %d requests, %d of them answered, about %d jobs, %.1f MiB
look at it before you give it away: watcher inspect %s
`

// cell is the CommCell that is meant.
func (r *recording) cell(cfg *config.Config) (config.CommCell, error) {
	if r.commCell == "" && len(cfg.CommCells) == 1 {
		return cfg.CommCells[0], nil
	}
	if r.commCell == "" {
		return config.CommCell{}, fmt.Errorf("--commcell is missing: the configuration has %s", strings.ReplaceAll(names(cfg.CommCells), ", ", " and "))
	}
	for _, cell := range cfg.CommCells {
		if cell.Name == r.commCell {
			return cell, nil
		}
	}
	return config.CommCell{}, fmt.Errorf("--commcell %s: the configuration names %s", r.commCell, names(cfg.CommCells))
}
