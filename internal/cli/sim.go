package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/printable"
	"jobwatch/internal/record"
	"jobwatch/internal/sim"
)

// simulator is the sim command's flags.
type simulator struct {
	config sim.Config
	listen string
	faults []string
	log    bool
	replay string
}

func newSim() *cobra.Command {
	s := &simulator{config: sim.Config{NoRecord: true, Oddities: 0.03}}
	command := &cobra.Command{
		Use:   "sim",
		Short: "Play a CommServe, to try jobwatch or to develop subscribers against",
		Long: "sim serves the part of Commvault's REST API that jobwatch uses, in JSON and XML, over jobs that\n" +
			"begin, fail, wait and end by themselves. The same seed plays the same jobs. What it prints is a\n" +
			"configuration for watcher run. Faults and jobs on demand, while it runs: curl http://ADDRESS/sim\n\n" +
			"With --replay it plays a record of watcher record instead: each question is answered as it was then, in the\n" +
			"same order and no sooner, counted from the first request.\n\n" +
			"Kinds of --fault (each befalls one request in ten, or as many as the rate after the colon says;\n" +
			"code, delay and location can be told over HTTP only):\n\n" +
			strings.TrimRight(sim.FaultHelp(), "\n"),
		Example: "  watcher sim\n  watcher sim --listen 127.0.0.1:8081 --jobs 200 --speed 10\n" +
			"  watcher sim --fault login-page --fault cut-short:0.02\n  watcher sim --replay /tmp/record --speed 10",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c) },
	}
	flags := command.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8081", "`address` to serve on")
	flags.Int64Var(&s.config.Seed, "seed", 1, "of the jobs' lives")
	flags.Float64Var(&s.config.Speed, "speed", 1, "how many times faster than life jobs live")
	flags.IntVar(&s.config.Jobs, "jobs", 20, "that run at the start")
	flags.Float64Var(&s.config.Arrivals, "arrivals", 0.1, "jobs that begin in a simulated second")
	flags.IntVar(&s.config.VMs, "vms", 5, "virtual machines in each job that has some")
	flags.BoolVar(&s.config.Calm, "calm", false, "let all of these jobs end well, so that jobs made by hand stand out")
	flags.BoolVar(&s.config.Old, "old", false, "refuse requests that ask for attempts, as old servers may")
	flags.IntVar(&s.config.Bears, "bears", 0, "requests answered at once; more get 429; 0: any number")
	flags.StringArrayVar(&s.faults, "fault", nil, "`kind[:rate]` of fault that befalls requests; may be repeated")
	completeFlag(command, "fault", completeFaults)
	flags.StringVar(&s.replay, "replay", "", "play the record in this `folder`; of the other flags, --listen, --speed and --log count")
	completeFlag(command, "replay", completeDir)
	flags.BoolVar(&s.log, "log", false, "print each request on standard error")
	return command
}

func completeFaults(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var kinds []string
	for _, kind := range sim.FaultKinds() {
		kinds = append(kinds, string(kind))
	}
	return kinds, cobra.ShellCompDirectiveNoFileComp
}

func (s *simulator) run(c *cobra.Command) error {
	if s.log {
		s.config.Log = func(line string) { fmt.Fprintln(c.ErrOrStderr(), printable.Line(line)) }
	}
	handler, welcome, err := s.handler(c)
	if err != nil {
		return err
	}
	listener, err := listenOn(s.listen, "--listen")
	if err != nil {
		return fail(err)
	}
	outliveReaders()
	fmt.Fprint(c.OutOrStdout(), welcome(reachable(listener.Addr())))
	return fail(serve(c.Context(), listener, handler))
}

// handler is what is served, and what is said of it at an address.
func (s *simulator) handler(c *cobra.Command) (handler http.Handler, welcome func(address string) string, err error) {
	play, err := s.play()
	if err != nil {
		return nil, nil, err
	}
	if s.replay == "" {
		return play.Control(), func(address string) string { return fmt.Sprintf(simWelcome, address, play) }, nil
	}
	for _, other := range []string{"seed", "jobs", "arrivals", "vms", "old", "bears", "fault"} {
		if c.Flags().Changed(other) {
			return nil, nil, fmt.Errorf("--%s does not go with --replay: a record says itself what is answered", other)
		}
	}
	head, entries, err := record.Read(s.replay)
	if err != nil {
		return nil, nil, fail(err)
	}
	return record.NewPlayer(entries, s.config.Speed, s.config.Log), func(address string) string {
		return fmt.Sprintf(replayWelcome, address, len(entries), head.Began.UTC().Format(time.RFC3339), head.BasePath, scheduleOf(head))
	}, nil
}

// scheduleOf is how often a CommCell was polled; where the record does not say so, often enough.
func scheduleOf(head record.Head) string {
	if _, err := config.ParseSchedule(head.Schedule); err != nil || !strings.HasPrefix(head.Schedule, "@every ") {
		return "@every 5s"
	}
	return head.Schedule
}

// replayWelcome is a configuration in which the rest is comment.
const replayWelcome = `# http://%[1]s%[4]s: a record of %[3]s, %[2]d answers; any login is good
# watcher.yaml:
commcells:
  - name: replay
    url: http://%[1]s%[4]s
    auth: {username: watcher, password: watcher}
    schedule: %[5]q
`

// play makes the CommServe that the flags ask for; the errors are about them.
func (s *simulator) play() (*sim.Sim, error) {
	switch c := s.config; { // the other way round a float that is no number would pass
	case !(c.Speed > 0 && c.Speed <= 10_000):
		return nil, errors.New("--speed must be above 0, and 10000 at most")
	case c.Jobs < 0 || c.Jobs > 100_000:
		return nil, errors.New("--jobs must be from 0 to 100000")
	case !(c.Arrivals >= 0 && c.Arrivals <= 1000):
		return nil, errors.New("--arrivals must be from 0 to 1000")
	case c.VMs < 1 || c.VMs > 5000:
		return nil, errors.New("--vms must be from 1 to 5000")
	case c.Bears < 0:
		return nil, errors.New("--bears must not be below 0")
	}
	play := sim.New(s.config)
	for _, text := range s.faults {
		fault, err := sim.ParseFault(text)
		if err != nil {
			return nil, fmt.Errorf("--fault %s: %w", text, err)
		}
		play.Fault(fault)
	}
	return play, nil
}

// simWelcome is a configuration in which the rest is comment.
const simWelcome = `# http://%[1]s/webconsole/api: log in as "watcher" with password "watcher"
# a %[2]s
# make faults and jobs: curl http://%[1]s/sim
# watcher.yaml:
commcells:
  - name: sim
    url: http://%[1]s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 5s"
`

// reachable is the address by which a client on this machine reaches a listener on all.
func reachable(listening net.Addr) string {
	address, ok := listening.(*net.TCPAddr)
	if !ok || !address.IP.IsUnspecified() {
		return listening.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port))
}

func listenOn(address, key string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; choose another address", key, address, err)
	}
	return listener, nil
}

// serve serves until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return group.Wait()
}
