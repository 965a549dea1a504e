package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"jobwatch/internal/testing/disk"
)

// fillDisk leaves no room on the disk of the stores. What is answered meanwhile may come to nothing.
func fillDisk(x *torture, _ *victim) {
	x.inDoubt()
	disk.Fill(x.t, filepath.Join(x.disk, "ballast"))
}

func clearDisk(x *torture, _ *victim) {
	if err := os.Remove(filepath.Join(x.disk, "ballast")); err != nil {
		x.t.Fatal(err)
	}
	x.outOfDoubt()
}

// limitFiles has a watcher's file not grow, or not be written in its second half.
func limitFiles(x *torture, v *victim) {
	x.inDoubt()
	v.says(obeys)
	v.tell(syscall.SIGUSR1, quotaSet)
}

func freeFiles(x *torture, v *victim) {
	v.tell(syscall.SIGUSR2, quotaLifted)
	x.outOfDoubt()
}

// quota is what limitFiles limits a watcher's files to in its next life.
func (x *torture) quota(v *victim) string {
	size := int64(1 << 15)
	if info, err := os.Stat(v.store); err == nil {
		size = info.Size() / int64(1+x.random.IntN(2))
	}
	return fmt.Sprintf("%s=%d", quotaVariable, size)
}

// tell sends a signal, and waits for the answer.
func (v *victim) tell(s syscall.Signal, answer string) {
	v.t.Helper()
	if v.alive() {
		v.signal(s)
		v.says(answer)
	}
}

// says waits until it has said something, or has crashed.
func (v *victim) says(what string) {
	v.t.Helper()
	deadline := time.After(20 * time.Second)
	for more := v.said.more(); v.alive() && !strings.Contains(v.said.String(), what); more = v.said.more() {
		select {
		case <-more:
		case err := <-v.ended:
			v.ended <- err // for alive, which says what that means
		case <-deadline:
			v.hangs("it does not say: " + what)
		}
	}
}

// inDoubt says that from now on what is answered may come to nothing.
func (x *torture) inDoubt() {
	for _, v := range x.victims {
		v.doubts = append(v.doubts, doubt{time.Now(), time.Now().Add(time.Hour)})
		v.inDoubt = len(v.doubts) - 1
	}
}

func (x *torture) outOfDoubt() {
	for _, v := range x.victims {
		v.doubts[v.inDoubt].to = time.Now()
	}
}
