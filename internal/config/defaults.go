package config

import "time"

// defaults is the configuration of a file that names no key; it lacks the CommCells.
func defaults() *Config {
	return &Config{
		NATS: NATS{
			URL:         embedded,
			Embedded:    Embedded{Listen: "127.0.0.1:4222", Dir: "data/nats", Sync: "always"},
			Stream:      "JOBS",
			Replicas:    1,
			MaxAge:      720 * time.Hour,
			OnNewStream: "resend",
		},
		Store:    Store{Path: "data/watcher.db", KeepSent: 24 * time.Hour},
		HTTP:     HTTP{Listen: "127.0.0.1:9480"},
		Log:      Log{Level: "info", Format: "auto"},
		Severity: map[string]string{},
	}
}

// defaultCommCell lacks the name, the URL and the way to log in.
func defaultCommCell() CommCell {
	return CommCell{
		Format:       "json",
		Auth:         Auth{Scheme: "authtoken"},
		Schedule:     "@every 30s",
		JobLines:     map[int64]int{},
		Discover:     Discover{Enabled: true, FinishedWithin: time.Hour, Include: map[string][]string{}, Exclude: map[string][]string{}},
		Sweep:        "auto",
		FullRefresh:  10 * time.Minute,
		FeedEvery:    5 * time.Second,
		Concurrency:  8,
		Timeout:      30 * time.Second,
		StallAfter:   30 * time.Minute,
		LostAfter:    2 * time.Minute,
		KeepFinished: 168 * time.Hour,
	}
}
