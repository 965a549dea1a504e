package daemon

import (
	"jobwatch/internal/config"
	"jobwatch/internal/event"
)

// Notices are what a valid configuration says and hardly means, a sentence each.
func Notices(c *config.Config) []string {
	notices := c.Warnings()
	for _, slug := range event.UndocumentedStates(c.Severity) {
		notices = append(notices, "severity."+slug+": no state that Commvault documents; docs/subjects-and-events.md lists them "+
			"(a localized one is right all the same)")
	}
	return notices
}
