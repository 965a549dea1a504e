package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
	"jobwatch/internal/web"
)

func newRelay() *cobra.Command {
	c := &cobra.Command{
		Use:   "relay",
		Short: "Run relays; show how they stand, try them, and look after what they could not deliver",
		Long: "relay is about the relays of the configuration, which take events to Slack, webhooks, mail and audit files.\n" +
			"What it shows and changes is in NATS: it works from every machine that has the configuration, whoever relays.",
		Example: "  watcher relay status\n  watcher relay try ops event.json --dry\n  watcher relay redrive ops --all",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRelayRun(), newRelayStatus(), newRelayTry(), newRelayDead(), newRelayRedrive(), newRelayDrop(), newRelayOn(), newRelayOff())
	return c
}

func completeRelays(c *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, r := range cfg.Relays {
		names = append(names, r.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func completeRelay(c *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(typed) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeRelays(c, typed, begun)
}

// relayed is a relay of the configuration, and the NATS at which people ask about it.
type relayed struct {
	*stream.Broker
	config.NATS
	name string
}

// withRelay runs do for the relay that the command's first argument names.
func withRelay(c *cobra.Command, args []string, do func(context.Context, relayed) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if err := daemon.KnowsRelay(cfg, args[0]); err != nil {
		return err
	}
	return fail(daemon.AtRelays(c.Context(), cfg, "relay "+c.Name(), func(ctx context.Context, b *stream.Broker) error {
		return do(ctx, relayed{b, cfg.NATS, args[0]})
	}))
}

func newRelayStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show how the relays stand, as those who relay last wrote",
		Example: "  watcher relay status\n  watcher relay status -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		all := []web.Relay{}
		if len(cfg.Relays) > 0 {
			err = daemon.AtStream(c.Context(), cfg, "relay status", func(ctx context.Context, b *stream.Broker) error {
				all, err = relayStatuses(ctx, b, cfg)
				return err
			})
		}
		if err != nil {
			return fail(err)
		}
		if *form == asJSON {
			return fail(printJSON(c.OutOrStdout(), all))
		}
		return fail(printRelays(c.OutOrStdout(), all, time.Now()))
	}
	return c
}

func relayStatuses(ctx context.Context, b *stream.Broker, cfg *config.Config) ([]web.Relay, error) {
	names := make([]string, len(cfg.Relays))
	for i, r := range cfg.Relays {
		names[i] = r.Name
	}
	statuses, err := relay.Statuses(ctx, b, cfg.NATS.Stream, cfg.NATS.SubjectPrefix, names)
	all := make([]web.Relay, len(statuses))
	for i, s := range statuses {
		all[i] = web.Relay{Status: s, To: daemon.DestinationOf(cfg.Relays[i]), Receiver: daemon.ReceiverOf(cfg.Relays[i])}
	}
	return all, err
}

func printRelays(out io.Writer, all []web.Relay, now time.Time) error {
	t := newTable(out, "RELAY", "TO", "STATE", "SINCE", "PENDING", "OLDEST", "DEAD", "MISSED", "HOLDER", "REASON")
	for _, r := range all {
		oldest := ""
		if r.Oldest != nil {
			oldest = now.Sub(*r.Oldest).Round(time.Second).String()
		}
		t.row(r.Name, r.To, string(r.State), localTime(&r.Since), number(r.Pending), oldest, number(r.Dead), number(r.Missed), r.Holder, reasonOf(r, now))
	}
	return t.end()
}

// longSilence is several beats of a relay, each of which writes how it stands.
const longSilence = 10 * time.Second

// reasonOf also says where what is shown is old: a process that died wrote nothing more.
func reasonOf(r web.Relay, now time.Time) string {
	reason := shorten(r.Reason, 100)
	switch {
	case r.Seen == nil:
		return joined("it has never run", reason)
	case now.Sub(*r.Seen) > longSilence:
		return joined("not heard of for "+roughly(now.Sub(*r.Seen)), reason)
	}
	return reason
}

func joined(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + "; " + reason
}

// roughly is a time in the one unit that people would say it in.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func newRelayOff() *cobra.Command {
	c := &cobra.Command{
		Use:     "off NAME",
		Short:   "Have a relay deliver nothing until it is turned on; what comes meanwhile waits in the stream",
		Example: "  watcher relay off ops --reason \"the channel is being moved\"",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeRelay,
	}
	reason := c.Flags().String("reason", "", "why, for those who look")
	c.RunE = func(c *cobra.Command, args []string) error {
		return withRelay(c, args, func(ctx context.Context, r relayed) error {
			why := strings.TrimSpace("turned off by hand. " + *reason)
			if err := relay.TurnOff(ctx, r, r.Stream, r.name, why); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is off; what comes meanwhile waits in the stream, as long as nats.max_age allows\n", r.name)
			return err
		})
	}
	return c
}

func newRelayOn() *cobra.Command {
	return &cobra.Command{
		Use:     "on NAME",
		Short:   "Have a relay deliver again, beginning with what has waited",
		Example: "  watcher relay on ops",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeRelay,
		RunE: func(c *cobra.Command, args []string) error {
			return withRelay(c, args, func(ctx context.Context, r relayed) error {
				if err := relay.TurnOn(ctx, r, r.Stream, r.name); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s is on\n", r.name)
				return err
			})
		},
	}
}
