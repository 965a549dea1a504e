package commvault

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// TestWhatIsPlantedGetsNoToken: who may write the folder of a pair, and not read the pair, leaves a link or a file of his own
// where the next one is written first.
func TestWhatIsPlantedGetsNoToken(t *testing.T) {
	for _, name := range []string{"access.new", "refresh.new", "refresh.pending.new"} {
		for kind, plant := range map[string]func(elsewhere, here string) error{
			"link": os.Symlink, "file": os.Link, // a second name of a file that its owner has open
		} {
			t.Run(name+" is a "+kind, func(t *testing.T) {
				s := newServer(t, sim.Config{})
				config := s.pair(t)
				folder := filepath.Dir(config.AccessTokenFile)
				elsewhere := inFile(t, filepath.Join(t.TempDir(), "elsewhere"), "theirs\n")
				open, err := os.Open(elsewhere)
				if err != nil {
					t.Fatal(err)
				}
				defer open.Close()
				if err := plant(elsewhere, filepath.Join(folder, name)); err != nil {
					t.Fatal(err)
				}
				c := newClient(t, config)
				askAtOnce(t, c)
				s.pass(31 * time.Minute)
				askAtOnce(t, c)
				s.counted(t, map[sim.Op]int{sim.OpRenewPair: 1})
				if text, err := io.ReadAll(open); err != nil || string(text) != "theirs\n" {
					t.Errorf("it got %q, %v", text, err)
				}
				filesBeside(t, config) // looks at their modes
			})
		}
	}
}

// TestALinkToATokenIsReplaced by the file that is written, and what it led to is left alone.
func TestALinkToATokenIsReplaced(t *testing.T) {
	s := newServer(t, sim.Config{})
	config := s.pair(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(config.AccessTokenFile, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, config.AccessTokenFile); err != nil {
		t.Fatal(err)
	}
	was, _ := os.ReadFile(elsewhere)
	c := newClient(t, config)
	askAtOnce(t, c)
	s.pass(31 * time.Minute)
	askAtOnce(t, c)
	is, _ := os.ReadFile(elsewhere)
	info, err := os.Lstat(config.AccessTokenFile)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file is %v, %v", info.Mode(), err)
	}
	if strings.TrimSpace(string(was)) == "" || string(is) != string(was) {
		t.Errorf("it led to %q, which is %q now", was, is)
	}
}
