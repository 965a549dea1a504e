package cluster

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"jobwatch/internal/stream"
)

// BucketName is that of the bucket in which the watchers of a stream meet.
func BucketName(mainStream string) string { return mainStream + "_cluster" }

// layout is the version of what the values mean. Who meets a higher one claims nothing, and says so.
const layout = 1

// The keys of the bucket: member.<instance>, owner.<commcell>, hand.<commcell>.<job>.
const (
	memberPrefix = "member."
	ownerPrefix  = "owner."
	handPrefix   = "hand."
)

// member is what an instance says of itself, each second.
type member struct {
	Layout   int               `json:"v"`
	Store    string            `json:"store"` // which file: the same file is the same member after a restart
	Epoch    string            `json:"epoch"` // random for each start
	Version  string            `json:"version"`
	Host     string            `json:"host"`
	Started  time.Time         `json:"started"`
	Beat     uint64            `json:"beat"`
	CaughtUp bool              `json:"caughtUp"`          // it has read the stream to its end
	Leaving  bool              `json:"leaving,omitempty"` // it gives away what it owns, and takes nothing more
	Settings map[string]string `json:"commcells"`         // CommCell of its configuration => digest of its settings

	rest rest
}

// claim says who polls a CommCell.
type claim struct {
	Layout   int       `json:"v"`
	Instance string    `json:"instance"`       // empty: nobody
	Next     string    `json:"next,omitempty"` // whom the last one gave it to
	Term     uint64    `json:"term"`           // counts the owners
	Since    time.Time `json:"since"`
	Why      Reason    `json:"why"`
	Tracked  int       `json:"tracked"`

	// What a new owner could not know from the stream.
	GUID      string `json:"guid,omitempty"`      // of the CommServe
	ListedAgo *int64 `json:"listedAgo,omitempty"` // seconds from the last whole Job list to this writing: ages need no common clock

	rest rest
}

// Reason is why a CommCell has another owner.
type Reason string

// Why a CommCell changes hands.
const (
	Start    Reason = "start"    // nobody had it, or the same instance has started again
	Death    Reason = "death"    // its owner gives no sign of life
	Handover Reason = "handover" // its owner has stopped, or was told to leave
	Balance  Reason = "balance"  // its owner had more to do than others
)

// Reasons are all of them.
var Reasons = []Reason{Start, Death, Handover, Balance}

// Hand is what a person has said of a job, at any member.
type Hand string

// What a person may say.
const (
	Tracked   Hand = "by hand"
	Untracked Hand = "untracked"
)

// JobKey names a job of a CommCell in the bucket.
type JobKey struct {
	CommCell string
	Number   string
}

func (k JobKey) key() string { return handPrefix + k.CommCell + "." + k.Number }

func parseHandKey(key string) (k JobKey, ok bool) {
	k.CommCell, k.Number, ok = strings.Cut(strings.TrimPrefix(key, handPrefix), ".")
	return k, ok
}

// rest keeps the members of a value that this version does not know: who rewrites the value must not lose them.
type rest map[string]json.RawMessage

// decode reads a value. What is none is ok false: somebody else has written it.
func decode[T any](e stream.Entry, into *T, keep *rest) (ok bool) {
	if e.Value == nil || json.Unmarshal(e.Value, into) != nil {
		return false
	}
	return json.Unmarshal(e.Value, keep) == nil
}

func encode(value any, kept rest) ([]byte, error) {
	known, err := json.Marshal(value)
	if err != nil || len(kept) == 0 {
		return known, err
	}
	var own rest
	if err := json.Unmarshal(known, &own); err != nil {
		return nil, err
	}
	whole := maps.Clone(kept)
	for _, name := range []string{"next", "guid", "listedAgo", "leaving"} { // left out where they are empty
		delete(whole, name)
	}
	maps.Copy(whole, own)
	return json.Marshal(whole)
}
