package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/console"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

func newRelayDead() *cobra.Command {
	c := &cobra.Command{
		Use:     "dead NAME",
		Short:   "List a relay's dead letters: events that it could not deliver, and why",
		Example: "  watcher relay dead ops\n  watcher relay dead ops -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeRelay,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withRelay(c, args, func(ctx context.Context, r relayed) error {
			letters := []relay.Letter{}
			err := relay.Dead(ctx, r, r.Stream, r.SubjectPrefix, r.name, relay.Selection{}, func(l relay.Letter) error {
				letters = append(letters, l)
				return nil
			})
			if err != nil {
				return err
			}
			if *form == asJSON {
				return printJSON(c.OutOrStdout(), letters)
			}
			t := newTable(c.OutOrStdout(), "EVENT", "JOB", "TRIES", "STATUS", "FIRST TRY", "LAST TRY", "REASON")
			for _, l := range letters {
				reason := shorten(l.Reason, 100)
				if l.Redriving {
					reason = "is being redriven; " + reason
				}
				t.row(l.ID, l.Name, strconv.Itoa(l.Tries), statusCode(l.Status), localTime(&l.FirstTry), localTime(&l.LastTry), reason)
			}
			return t.end()
		})
	}
	return c
}

func statusCode(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

func newRelayRedrive() *cobra.Command {
	return newRelayLetters("redrive", "Have dead letters delivered once more, behind what waits of their jobs", relay.Redrive,
		"redriven: the relay delivers them behind what waits of their jobs")
}

func newRelayDrop() *cobra.Command {
	return newRelayLetters("drop", "Forget dead letters", relay.Drop, "dropped")
}

type actOnLetters func(ctx context.Context, b relay.Broker, mainStream, prefix, name string, only relay.Selection) (int, error)

// newRelayLetters is a command about some of a relay's dead letters, or all.
func newRelayLetters(verb, short string, act actOnLetters, past string) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " NAME {--job JOB | --id EVENT | --all}",
		Short:   short,
		Example: fmt.Sprintf("  watcher relay %s ops --job prod/1248\n  watcher relay %s ops --all", verb, verb),
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeRelay,
	}
	of := c.Flags().String("job", "", "those of this `job`: prod/1248")
	id := c.Flags().String("id", "", "the one of this `event`")
	all := c.Flags().Bool("all", false, "all of them")
	completeFlag(c, "job", completeLetters(func(l relay.Letter) string { return l.Name }))
	completeFlag(c, "id", completeLetters(func(l relay.Letter) string { return l.ID }))
	c.MarkFlagsMutuallyExclusive("job", "id", "all")
	c.RunE = func(c *cobra.Command, args []string) error {
		only := relay.Selection{ID: *id}
		switch {
		case c.Flags().Changed("job"):
			var err error
			if only.Job, err = job.ParseID(*of); err != nil {
				return err
			}
		case c.Flags().Changed("id") && *id == "":
			return errors.New("--id: names no event")
		case !c.Flags().Changed("id") && !*all:
			return errors.New("name which: --job JOB, --id EVENT or --all")
		}
		return withRelay(c, args, func(ctx context.Context, r relayed) error {
			n := 0
			err := console.WithProgress(ctx, c.ErrOrStderr(), func(ctx context.Context, _ io.Writer) (err error) {
				n, err = act(ctx, r, r.Stream, r.SubjectPrefix, r.name, only)
				return err
			})
			if err != nil {
				return err
			}
			if n == 0 && !*all {
				return fmt.Errorf("%s has no such dead letter; list them with: watcher relay dead %s", r.name, r.name)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d %s\n", n, past)
			return err
		})
	}
	return c
}

const lettersPatience = 2 * time.Second // of a shell, with NATS

// completeLetters offers what names dead letters of the relay that was typed before.
func completeLetters(name func(relay.Letter) string) cobra.CompletionFunc {
	return func(c *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(typed) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), lettersPatience)
		defer cancel()
		c.SetContext(ctx)
		var names []string
		_ = withRelay(c, typed, func(ctx context.Context, r relayed) error {
			return relay.Dead(ctx, r, r.Stream, r.SubjectPrefix, r.name, relay.Selection{}, func(l relay.Letter) error {
				if strings.HasPrefix(name(l), begun) && !slices.Contains(names, name(l)) {
					names = append(names, name(l))
				}
				if len(names) == mostOffered {
					return errEnough
				}
				return nil
			})
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
