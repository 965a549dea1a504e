// Package webhook delivers events by HTTP, signed after Standard Webhooks.
package webhook
