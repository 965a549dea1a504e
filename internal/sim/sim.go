package sim

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// firstJob is the number of the first generated job. Scripted jobs best stay below it.
const firstJob = 1001

// Config says which CommServe is played. The zero value is an empty one, to Add jobs to.
type Config struct {
	Seed     int64   // the generated jobs, the choice of faults
	Speed    float64 // simulated seconds in a second; 0 means 1
	Jobs     int     // generated jobs that run at the start, from number 1001 on
	Arrivals float64 // generated jobs that begin later, in a simulated second
	VMs      int     // virtual machines of a generated job that has some; default 5
	Calm     bool    // nothing befalls the generated jobs, all of them end well: those that Add scripts stand out. Oddities is 0 then
	Oddities float64 // share of the generated jobs whose details name no state at the end, and share of the later ones with a number that was another's

	Keep time.Duration // simulated, for which a generated job is known after its end, and its number its own; 0: for ever
	Most int           // generated jobs that begin later; 0: no limit

	Username        string        // default "watcher"
	Password        string        // default "watcher"
	Token           string        // always good, without a login; default "QSDK sim"
	TokenLifetime   time.Duration // of a login's token, unused; default 30m
	AccessLifetime  time.Duration // of a pair's access token, used or not; default 30m
	RefreshLifetime time.Duration // of its refresh token; default 14 days
	LockAfter       int           // wrong passwords that lock the account; default 5
	LockTime        time.Duration // default 15m

	Bears      int       // requests at once, see Sim.Bear; 0: any number
	Old        bool      // refuses requests that ask for attempts
	CommCellID int64     // default 2
	GUID       string    // the CommServe's; default: one made of the seed
	Start      time.Time // what the CommServe's clock shows at New; default: now

	// Clock gives the simulated time since Start and never goes back; default: time since New × Speed.
	// The CommServe's clock shows Start + Clock()/Speed, so that what is fast are the jobs' lives.
	Clock func() time.Duration

	NoFeed   bool              // a release without GET Events
	NoRecord bool              // keep no Served, for long runs; Counts go on
	Log      func(line string) // is told of each request; nil for none
}

// Sim is a CommServe. All its methods may be called at any time from any goroutine.
type Sim struct {
	config   *Config
	jobs     jobs
	sessions sessions
	faults   faults
	crowd    crowd
	record   record
}

// New makes a CommServe whose time begins now.
func New(config Config) *Sim {
	config = config.withDefaults()
	s := &Sim{config: &config}
	s.sessions.alive = map[string]time.Time{}
	s.faults.seed = uint64(config.Seed)
	s.record.counts = map[Op]int{}
	s.Bear(config.Bears)
	s.jobs.begin(&config)
	return s
}

func (c Config) withDefaults() Config {
	c.Speed = cmp.Or(c.Speed, 1)
	c.VMs = cmp.Or(c.VMs, 5)
	c.Username = cmp.Or(c.Username, "watcher")
	c.Password = cmp.Or(c.Password, "watcher")
	c.Token = cmp.Or(c.Token, "QSDK sim")
	c.TokenLifetime = cmp.Or(c.TokenLifetime, 30*time.Minute)
	c.AccessLifetime = cmp.Or(c.AccessLifetime, 30*time.Minute)
	c.RefreshLifetime = cmp.Or(c.RefreshLifetime, 14*24*time.Hour)
	c.LockAfter = cmp.Or(c.LockAfter, 5)
	c.LockTime = cmp.Or(c.LockTime, 15*time.Minute)
	c.CommCellID = cmp.Or(c.CommCellID, 2)
	c.GUID = cmp.Or(c.GUID, guid(uint64(c.Seed)))
	if c.Calm {
		c.Oddities = 0
	}
	born := time.Now()
	if c.Start.IsZero() {
		c.Start = born
	}
	if c.Clock == nil {
		c.Clock = func() time.Duration { return time.Duration(float64(time.Since(born)) * c.Speed) }
	}
	return c
}

// Add adds a scripted job. Its Steps may lie in the past or the future; a job that had its number is replaced
// when the first of them comes.
func (s *Sim) Add(job Job) { s.jobs.add(newLive(s.config, job), s.config.Clock()) }

// String says what is played.
func (s *Sim) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CommServe of seed %d: %d jobs", s.config.Seed, len(s.jobs.known(s.config.Clock())))
	if s.config.Arrivals > 0 {
		fmt.Fprintf(&b, ", %g new ones a second", s.config.Arrivals*s.config.Speed)
	}
	fmt.Fprintf(&b, ", at %g times real speed", s.config.Speed)
	return b.String()
}

// wall is what the CommServe's clock shows at a simulated time.
func (c *Config) wall(at time.Duration) time.Time {
	return c.Start.Add(time.Duration(float64(at) / c.Speed))
}

func (s *Sim) now() time.Time { return s.config.wall(s.config.Clock()) }
