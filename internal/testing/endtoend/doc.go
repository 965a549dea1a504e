// Package endtoend tests the whole program: as a process that a test runs, kills and cuts off, and in this one, as
// a person starts it. It holds tests alone. The test binary plays the watcher's process itself (main_test.go).
//
// A world (world_test.go) is what surrounds a watcher: a simulated CommServe, NATS behind a proxy, and a judge
// (judge_test.go) that holds the stream against what the CommServe has answered. The torture (torture_test.go) is a
// world in which all fails at once; make torture and make soak run the long forms.
package endtoend
