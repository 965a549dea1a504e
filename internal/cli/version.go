package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// What make dist builds the linker tells; of what others build the build itself knows.
var release, revision, revised string

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is, of which commit, and what it was built with",
		Example: "  watcher version",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "jobwatch %s (%s, %s/%s)\n%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, commit(debug.ReadBuildInfo()))
			return fail(err)
		},
	}
}

// commit is a line that says of which one, and when that was made, where the build knows it.
func commit(info *debug.BuildInfo, ok bool) string {
	is := map[string]string{"vcs.revision": revision, "vcs.time": revised}
	if ok && revision == "" {
		for _, setting := range info.Settings {
			is[setting.Key] = setting.Value
		}
	}
	if is["vcs.revision"] == "" {
		return ""
	}
	line := "commit " + is["vcs.revision"]
	if at, err := time.Parse(time.RFC3339, is["vcs.time"]); err == nil {
		line += " of " + at.UTC().Format("2006-01-02 15:04:05 MST")
	}
	if is["vcs.modified"] == "true" {
		line += ", with changes that are not in it"
	}
	return line + "\n"
}

// version is the module's, or the commit that the binary was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(12, len(setting.Value))]
		}
	}
	return "devel"
}
