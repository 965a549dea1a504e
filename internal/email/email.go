// Package email sends mail about jobs.
package email
