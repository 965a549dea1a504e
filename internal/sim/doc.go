// Package sim plays a Commvault CommServe's web server: an http.Handler over jobs that live.
//
//	sim.go      Config, New, the clock
//	job.go      what is scripted: Job, Step, VM
//	life.go     generated jobs: life(seed, id); plot.go what befalls them, cast.go their names and reasons
//	live.go     one job at one moment; general.go what never changes of it
//	jobs.go     all jobs, those that arrive included
//	http.go     from a request to an operation, and out again
//	login.go    tokens, lock-out
//	details.go  the answer of POST JobDetails; machines.go its virtual machines
//	list.go     the answers of GET Job, POST Jobs and GET Job/<id>; summary.go one line of them
//	fault.go    what goes wrong on demand; break.go how
//	served.go   the record of what was told, to hold a stream of events against
//	inside.go   an http.RoundTripper without a network, for tests on fake time
//
// A job's state is a pure function of the seed, the job and the simulated time that has passed:
// there is nothing to start, to stop or to wait for.
package sim
