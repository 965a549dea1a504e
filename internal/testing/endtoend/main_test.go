package endtoend

import (
	"context"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"jobwatch/internal/cli"
	"jobwatch/internal/testing/nameserver"
	"jobwatch/internal/testing/terminal"
)

// TestMain lets the test binary play the watcher itself: for the scripts, and as the child process
// that the kill test kills; and the bare client beside which the benchmarks measure it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"broker":        serveNATS,
		"brokerofthree": serveOneOfThree,
		"watcher": func() {
			armed()
			if address := os.Getenv(nameServerVariable); address != "" {
				net.DefaultResolver = nameserver.At(address)
			}
			cli.Main()
		},
		"bareclient": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := bareClient(ctx); err != nil {
				panic(err)
			}
		},
	})
}

// nameServerVariable has the watcher look names up where it says.
const nameServerVariable = "JOBWATCH_TEST_NAME_SERVER"

// Exit statuses, as the contract has them.
const (
	done   = 0
	failed = 1
	wrong  = 2
)

// typed runs a command in this process as a person types it.
func typed(t *testing.T, words ...string) terminal.Said {
	t.Helper()
	return terminal.Command(cli.Execute).Typed(t, words...)
}
