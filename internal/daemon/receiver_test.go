package daemon

import (
	"testing"

	"jobwatch/internal/config"
)

// Of whom a relay reaches the page names what is no secret.
func TestReceiverOf(t *testing.T) {
	for want, r := range map[string]config.Relay{
		"hooks.example.com:8443": {Webhook: &config.Webhook{URL: "https://user:s3cret@hooks.example.com:8443/T01/s3cret?key=s3cret#s3cret"}},
		"":                       {Webhook: &config.Webhook{URLFile: "/etc/jobwatch/s3cret"}},
		"#backup":                {Slack: &config.Slack{Channel: "#backup", TokenFile: "s3cret"}},
		"mail.example.com:587":   {Email: &config.Email{Server: "mail.example.com:587", Username: "s3cret"}},
	} {
		if got := ReceiverOf(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := ReceiverOf(config.Relay{Audit: &config.Audit{Dir: "/var/audit"}}); got != "" {
		t.Errorf("an audit log reaches %q", got)
	}
}
