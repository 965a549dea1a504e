package daemon

import (
	"jobwatch/internal/config"

	"jobwatch/internal/event"
)

// Notices are what a valid configuration says and hardly means, a sentence each.
func Notices(c *config.Config) []string {
	var notices []string
	for _, key := range c.NotYetInForce() {
		notices = append(notices, key+" is accepted but not yet in force")
	}
	notices = append(notices, c.Warnings()...)
	for _, slug := range event.UndocumentedStates(c.Severity) {
		notices = append(notices, "severity."+slug+": no state that Commvault documents; docs/subjects-and-events.md lists them "+
			"(a localized one is right all the same)")
	}
	return notices
}
