package stream

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func TestProbeBucket(t *testing.T) {
	for name, row := range map[string]struct {
		server func(*server.Options)
		there  bool
		want   string // a part of the error; "": there is none
	}{
		"there":                     {there: true},
		"not there yet":             {},
		"no right to write":         {server: user("jobwatch", "$KV.>"), there: true, want: "write bucket B: $KV.B.check: no right"},
		"no right, not there yet":   {server: user("jobwatch", "$KV.>"), want: "write bucket B: $KV.B.check: no right"},
		"no right to read":          {server: user("jobwatch", "$JS.API.STREAM.MSG.GET.>"), there: true, want: "read bucket B: read stream KV_B: $JS.API.STREAM.MSG.GET.KV_B: no right"},
		"no server that takes them": {server: user("somebody"), want: "credentials refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, orNothing(row.server))
			cfg := Config{URL: srv.ClientURL(), User: "jobwatch", Password: "secret"}
			if row.there {
				_, err := admin(t, run(t, cfg)).CreateStream(soon(t), (&bucket{New(cfg), "B"}).config())
				if err != nil {
					t.Fatal(err)
				}
			}
			looked := 0
			err := ProbeBucket(soon(t), cfg, "B", func(ctx context.Context, k Bucket) error {
				looked++
				all, err := k.Since(ctx, 0)
				if err == nil && len(all) > 0 {
					t.Errorf("it has stored %v", all)
				}
				if !row.there { // as cluster.Read takes it
					return nil
				}
				return err
			})
			if row.want == "" && (err != nil || looked != 1) {
				t.Errorf("got %v, looked %d times", err, looked)
			}
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || looked > 0) {
				t.Errorf("got %v, want %s; looked %d times", err, row.want, looked)
			}
		})
	}
}
