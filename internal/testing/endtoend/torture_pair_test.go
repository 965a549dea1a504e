package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A part's watchers log in with a name and password, or with a pair of tokens that expires soon and is renewed again and
// again. All watchers of a part share its files.
const pairLives = 5 * time.Second // simulated

func (x *torture) tokenFiles() (access, refresh string) {
	return filepath.Join(x.dir, "access"), filepath.Join(x.dir, "refresh")
}

func (x *torture) login() string {
	if !x.pair {
		return "{username: watcher, password: watcher}"
	}
	access, refresh := x.tokenFiles()
	return fmt.Sprintf("{access_token_file: %q, refresh_token_file: %q, scheme: bearer}", access, refresh)
}

// newPair is what an administrator does when a crash has lost the one that the CommServe had just given.
func (x *torture) newPair() {
	if !x.pair {
		return
	}
	access, refresh := x.tokenFiles()
	newAccess, newRefresh := x.sim.Pair()
	for name, token := range map[string]string{access: newAccess, refresh: newRefresh} {
		if err := os.WriteFile(name, []byte(token+"\n"), 0o600); err != nil {
			x.t.Fatal(err)
		}
	}
}
