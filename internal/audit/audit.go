// Package audit keeps events in files of which nobody can change a byte unseen.
package audit
