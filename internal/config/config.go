// Package config reads and checks the configuration: a YAML file in which every key but three has a
// default, and every mistake an error that names file, line, key and the mend.
//
// The way of a value: bytes to YAML (document.go), YAML to one Go value (reader.go, scalar.go,
// value.go) for each key in the lists of keys.go and keys_commcell.go, which name the check of that
// value (checks.go); last the rules between keys (rules.go).
package config

import "time"

// Config is the configuration file, key for key, with the defaults filled in and the names of files whole.
type Config struct {
	CommCells []CommCell // at least one
	NATS      NATS
	Store     Store
	HTTP      HTTP
	Log       Log
	Cluster   Cluster
	Severity  map[string]string // slug of a state => info, warning or error

	Text []byte // what was read of the file

	file       string
	lines      map[string]int  // key path => line, of each key that the file holds
	set        map[string]bool // key path => true, of each value other than its default
	leftBehind []string        // warnings: data that a version before would have used
}

// CommCell is one CommServe to watch, and how.
type CommCell struct {
	Name         string // [A-Za-z0-9_-]+, unique
	URL          string // the <webservice> root, without a slash at its end
	CommCellID   int    // 0: none is sent
	GUID         string // empty: to be learned
	Format       string // json, xml
	Auth         Auth
	TLS          TLS
	Schedule     string // ParseSchedule accepts it
	Jobs         []int64
	JobLines     map[int64]int // job id => the line that lists it
	Discover     Discover
	Sweep        string // auto, list, details
	FullRefresh  time.Duration
	FeedEvery    time.Duration // 0: off
	Concurrency  int           // at least 1
	RateLimit    float64       // requests a second; 0: no limit
	Timeout      time.Duration // of one request
	StallAfter   time.Duration
	LostAfter    time.Duration
	KeepFinished time.Duration // not less than Discover.FinishedWithin
}

// Auth holds exactly one way to log in: Token, TokenFile, Username with Password or PasswordFile, or
// AccessTokenFile with RefreshTokenFile. What is not used is empty.
type Auth struct {
	Token            string
	TokenFile        string
	Username         string
	Password         string
	PasswordFile     string
	Domain           string // of Username
	AccessTokenFile  string
	RefreshTokenFile string
	Scheme           string // authtoken, bearer
}

// TLS is how a connection is secured; empty names mean the system's roots and no client certificate.
type TLS struct {
	CAFile             string
	CertFile           string // with KeyFile, or neither
	KeyFile            string
	InsecureSkipVerify bool
}

// Discover says which jobs of the Job list are tracked.
// The filters go by their keys (client, client_group, …) to globs that path.Match accepts.
type Discover struct {
	Enabled        bool
	FinishedWithin time.Duration
	Include        map[string][]string
	Exclude        map[string][]string
}

// NATS is the broker and the stream. At most one of CredsFile, NKeyFile, User, TokenFile is set.
type NATS struct {
	URL           string // "embedded", or URLs separated by commas
	Embedded      Embedded
	CredsFile     string
	NKeyFile      string
	User          string
	PasswordFile  string // of User
	TokenFile     string
	TLS           TLS
	TLSFirst      bool   // the TLS handshake comes before NATS says a word
	Domain        string // of JetStream; empty: the server's own
	Stream        string
	Replicas      int           // 1 to 5
	MaxAge        time.Duration // 0: no limit
	MaxBytes      int64         // 0: no limit
	SubjectPrefix string        // empty, or subject tokens: "acme", "acme.backup"
	OnNewStream   string        // resend, continue
}

// Embedded is the NATS server inside this program, used when NATS.URL is "embedded".
type Embedded struct {
	Listen string // host:port
	Dir    string
	Sync   string // always, interval
}

// Store is the bbolt file.
type Store struct {
	Path     string
	KeepSent time.Duration // 0: not at all
}

// HTTP is the dashboard's listener.
type HTTP struct {
	Listen    string // host:port; empty: off
	TokenFile string
	TLS       HTTPTLS
}

// HTTPTLS secures the dashboard; empty: plain HTTP.
type HTTPTLS struct {
	CertFile     string // with KeyFile, or neither
	KeyFile      string
	ClientCAFile string // only with CertFile
}

// Log is what is logged, and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto, text, json
}

// Cluster is for several watchers that share the CommCells.
type Cluster struct {
	Enabled  bool
	Instance string
}

// embedded is what nats.url says for the server inside this program.
const embedded = "embedded"

// UsesEmbedded tells whether the NATS server is the one inside this program.
func (n NATS) UsesEmbedded() bool { return n.URL == embedded }

// asksClients tells whether the embedded server has its clients say who they are.
func (n NATS) asksClients() bool { return n.User != "" || n.TokenFile != "" }
