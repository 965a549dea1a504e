package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary play the watcher itself: for the scripts, and as the child process
// that the kill test kills; and the bare client beside which the benchmarks measure it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"broker": serveNATS,
		"watcher": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			armed()
			os.Exit(Execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
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
