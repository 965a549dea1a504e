package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/control"
)

func newDebug() *cobra.Command {
	c := &cobra.Command{
		Use:   "debug",
		Short: "Look into a running watcher: profiles, a dump of its state, the level of its log",
		Long: "debug asks the running watcher through its socket, as the user that runs it. Nothing that it prints holds\n" +
			"a password, a token or another secret.",
		Example: "  watcher debug dump\n  watcher debug log-level debug",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newDebugProfile(), newDebugDump(), newDebugLogLevel())
	return c
}

func newDebugProfile() *cobra.Command {
	long, file := 30*time.Second, "-"
	c := &cobra.Command{
		Use:   "profile " + strings.Join(control.Profiles, "|"),
		Short: "Write a profile of the running watcher, for go tool pprof",
		Long: "profile writes what go tool pprof reads, to standard output or a file. That of the processor (cpu) takes\n" +
			"as long as --for says; the others show the moment.",
		Example: "  watcher debug profile cpu --for 1m > cpu.pprof\n" +
			"  watcher debug profile heap --file heap.pprof && go tool pprof -top heap.pprof",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: control.Profiles,
	}
	c.Flags().DurationVar(&long, "for", long, "how long the processor is watched")
	c.Flags().StringVar(&file, "file", file, "where to write; - is standard output")
	completeFlag(c, "file", completeFile)
	c.RunE = func(c *cobra.Command, args []string) error {
		if long <= 0 || long > control.LongestProfile {
			return fmt.Errorf("--for must be above 0, and %v at most", control.LongestProfile)
		}
		if file == "-" && isTerminal(c.OutOrStdout()) {
			return errors.New("a profile is no text for a terminal; name a file with --file")
		}
		return withRunning(c, func(running *control.Client) error {
			taken, err := running.Profile(c.Context(), args[0], long)
			if err != nil {
				return err
			}
			if file != "-" {
				return os.WriteFile(file, taken, 0o600)
			}
			_, err = c.OutOrStdout().Write(taken)
			return err
		})
	}
	return c
}

func newDebugDump() *cobra.Command {
	return &cobra.Command{
		Use:   "dump",
		Short: "Print the state of the running watcher's parts, and where its goroutines are, as JSON",
		Long: "dump prints what the parts of the running watcher say of themselves (CommCells, limits, outbox, NATS,\n" +
			"publisher), its memory, and the stacks of its goroutines, as one JSON object. It is what to send along with\n" +
			"a report about a watcher that hangs.",
		Example: "  watcher debug dump\n  watcher debug dump | jq .state",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withRunning(c, func(running *control.Client) error {
				dump, err := running.Dump(c.Context())
				if err != nil {
					return err
				}
				return printJSON(c.OutOrStdout(), dump)
			})
		},
	}
}

var logLevels = []string{"debug", "info", "warn", "error"}

func newDebugLogLevel() *cobra.Command {
	return &cobra.Command{
		Use:   "log-level " + strings.Join(logLevels, "|"),
		Short: "Set the level of the running watcher's log, until it ends or log.level is edited",
		Example: "  watcher debug log-level debug\n" +
			"  watcher debug log-level info",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: logLevels,
		RunE: func(c *cobra.Command, args []string) error {
			return withRunning(c, func(running *control.Client) error {
				before, err := running.SetLogLevel(c.Context(), args[0])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "log level: %s (it was %s)\n", args[0], before)
				return err
			})
		},
	}
}

// withRunning runs do for the running watcher of the configuration that the command names.
func withRunning(c *cobra.Command, do func(*control.Client) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	client, err := control.Dial(cfg.Store.Path)
	if errors.Is(err, control.ErrNobody) {
		file, _ := c.Flags().GetString("config")
		err = fmt.Errorf("%w; start one with: watcher run -c %s", err, file)
	}
	if err != nil {
		return fail(err)
	}
	return fail(do(client))
}
