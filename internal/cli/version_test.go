package cli

import (
	"runtime/debug"
	"testing"
)

func TestCommit(t *testing.T) {
	of := func(pairs ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{}
		for i := 0; i < len(pairs); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return info
	}
	for _, row := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{of(), ""},
		{of("vcs.revision", "4eae119"), "commit 4eae119\n"},
		{of("vcs.revision", "4eae119", "vcs.time", "2026-11-30T15:13:38+01:00", "vcs.modified", "false"), "commit 4eae119 of 2026-11-30 14:13:38 UTC\n"},
		{of("vcs.revision", "4eae119", "vcs.modified", "true"), "commit 4eae119, with changes that are not in it\n"},
	} {
		if got := commit(row.info, true); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}
