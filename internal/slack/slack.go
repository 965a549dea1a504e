// Package slack tells people in a Slack channel what becomes of a job: one message a job, changed as it goes on.
package slack
