// Package sim plays a Commvault CommServe's web server: an http.Handler over jobs that live.
//
//	sim.go      Config, New, the clock
//	job.go      what is scripted: Job, Step, VM
//	life.go     generated jobs: life(config, id); plot.go what befalls them, cast.go their names and reasons
//	live.go     one job at one moment; general.go what never changes of it
//	child.go    the jobs of a generated job's virtual machines
//	jobs.go     all jobs, those that arrive included
//	request.go  what is asked, in either format; http.go who answers; answer.go out again
//	login.go    tokens, lock-out
//	details.go  the answer of POST JobDetails; machines.go its virtual machines, attempts.go its attempts
//	list.go     the answers of GET Job, POST Jobs and GET Job/<id>; summary.go one line of them
//	writer.go   the form of an answer, JSON or XML; values.go of each value in it, escape.go of texts;
//	            kept.go what is written once
//	kinds.go    what can go wrong; fault.go with which requests; break.go how; bomb.go with too much of it
//	control.go  faults and jobs on demand, over HTTP; form.go, jobform.go as they are asked for
//	served.go   the record of what was told, to hold a stream of events against
//	inside.go   an http.RoundTripper without a network, for tests on fake time
//
// A job's state is a pure function of the seed, the job and the simulated time that has passed:
// there is nothing to start, to stop or to wait for.
package sim
