// Package sim plays a Commvault CommServe's web server: an http.Handler over jobs that live.
//
//	sim.go      Config, New, the clock
//	job.go      what is scripted: Job, Step, VM
//	life.go     generated jobs: life(config, id), their names and reasons; plot.go what befalls them
//	live.go     one job at one moment
//	jobs.go     all jobs, those that arrive included
//	http.go     what is asked, in either format, and who answers; answer.go out again
//	crowd.go    how many requests at once are borne
//	login.go    tokens, their renewal, lock-out
//	details.go  the answer of POST JobDetails; machines.go its virtual machines, their jobs and attempts
//	list.go     the answers of GET Job, POST Jobs and GET Job/<id>, a line each
//	feed.go     the CommServe's own events
//	writer.go   the form of an answer, JSON or XML
//	kinds.go    what can go wrong; fault.go with which requests; break.go how
//	control.go  faults and jobs on demand, over HTTP; form.go as they are asked for
//	served.go   the record of what was told, to hold a stream of events against; truth.go how all jobs are now
//	inside.go   an http.RoundTripper without a network, for tests on fake time
//
// A job's state is a pure function of the seed, the job and the simulated time that has passed:
// there is nothing to start, to stop or to wait for.
package sim
