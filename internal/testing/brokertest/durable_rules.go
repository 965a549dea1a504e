package brokertest

import (
	"time"

	"jobwatch/internal/stream"
)

// What a durable consumer does. Where no time is named, nothing is delivered once more because of its age.
var durableRules = []rule{
	holds("a durable consumer delivers in order, and numbers its deliveries",
		publish("a").after(nothing).isStored(),
		publish("x").of(job2).after(nothing).isStored(),
		publish("b").after("a").isStored(),
		claims().makes(),
		takes("a", "x", "b").inOrder(),
		numbered(1, "a", "x", "b"),
		behind(2, "a", "x", "b"),
		publish("c").after("b").isStored(),
		takes("c").inOrder(),
		numbered(4, "c"),
	),
	holds("what was settled does not come again; what was not comes again, in order, to the next who reads",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		publish("c").after("b").isStored(),
		publish("d").after("c").isStored(),
		claims().with(wait(soonDue)).makes(),
		takes("a", "b", "c", "d").inOrder(),
		settles("a", "c"),
		durableHas(2, "a"),
		closes(),
		claims().with(wait(soonDue)).byOther().goesOn(2),
		takesAgain("b", "d").byOther().inOrder(),
	),
	holds("a settlement that is lost is a delivery more",
		publish("a").after(nothing).isStored(),
		claims().with(wait(soonDue)).makes(),
		takes("a").inOrder(),
		settlesInVain("a"),
		claims().with(wait(soonDue)).goesOn(1),
		takesAgain("a").inOrder(),
		settles("a"),
		durableHas(0, "a"),
	),
	holds("what is extended does not come again, what lies beside it does",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		claims().with(wait(soonDue)).makes(),
		takes("a", "b").inOrder(),
		extends("a", "b"),
	),
	holds("what is returned comes again at once",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		claims().makes(),
		takes("a", "b").inOrder(),
		returns("b", "a"),
		takesAgain("b", "a").inOrder(),
		numbered(3, "b", "a"),
		settles("a", "b"),
		durableHas(0, "b"),
	),
	holds("what nobody has taken yet is returned when the reading ends",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		publish("c").after("b").isStored(),
		claims().makes(),
		takes("a").inOrder(),
		durableHas(3, nothing),
		closes(),
		claims().goesOn(3),
		takesAgain("b", "c").anyOrder(),
	),
	holds("a full window holds up what is new",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		publish("c").after("b").isStored(),
		claims().withWindow(2).makes(),
		takes("a", "b").inOrder(),
		nothingComes(),
		settles("b"),
		takes("c").inOrder(),
		durableHas(2, nothing),
	),
	holds("two who read one consumer share what comes",
		claims().makes(),
		claims().byOther().goesOn(0),
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		shared("a", "b"),
	),
	holds("it begins where it is told",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		claims().with(from("b")).makes(),
		takes("b").inOrder(),
		deletesConsumer(),
		claims().with(fromEnd).makes(),
		nothingComes(),
		publish("c").after("b").isStored(),
		takes("c").inOrder(),
		claims().with(anew).makes(),
		takes("a", "b", "c").inOrder(),
		claims().with(from("c")).goesOn(3), // it has begun
	),
	holds("it begins at a time",
		publish("a").after(nothing).isStored(),
		claims().with(since(-time.Hour)).makes(),
		takes("a").inOrder(),
		deletesConsumer(),
		claims().with(since(time.Hour)).makes(),
		nothingComes(),
	),
	holds("it delivers what its filters match, each message once",
		publish("a").after(nothing).isStored(),
		publish("x").of(job2).after(nothing).isStored(),
		publish("b").as("client.phase.scan").after("a").isStored(),
		claims().with(filters("jobs.*.*.*.phase.>", job2+".>")).makes(),
		takes("x", "b").inOrder(),
		claims().with(filters("jobs.>")).goesOn(2), // what lies behind is not delivered later
		nothingComes(),
		publish("c").after("b").isStored(),
		takes("c").inOrder(),
	),
	holds("one that is deleted says so to who waits, and is made again at the begin",
		publish("a").after(nothing).isStored(),
		claims().makes(),
		takes("a").inOrder(),
		settles("a"),
		durableHas(0, "a"),
		deletesConsumer(),
		claims().makes(),
		takes("a").inOrder(),
		numbered(1, "a"),
	),
	holds("a stream that is removed takes its consumers along",
		claims().makes(),
		dropsStream(),
		claims().findsNoStream(),
		ready(),
		claims().makes(),
		publish("a").after(nothing).isStored(),
		takes("a").inOrder(),
	),
	holds("a pause is kept, whatever the consumer becomes",
		claims().makes(),
		pauses(),
		publish("a").after(nothing).isStored(),
		nothingComes(),
		claims().withWindow(7).isPaused(),
		nothingComes(),
		resumes(),
		takes("a").inOrder(),
	),
	holds("a purge settles what it removes, and moves the floor",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		claims().makes(),
		takes("a", "b").inOrder(),
		purge(all),
		durableHas(0, "b"),
		publish("c").after(nothing).isStored(),
		takes("c").inOrder(),
		durableHas(1, "b"),
	),
	holds("a message that is removed is settled",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		publish("c").after("b").isStored(),
		claims().makes(),
		takes("a", "b", "c").inOrder(),
		remove("b"),
		settles("a"),
		durableHas(1, "b"),
	),
	holds("a restart keeps what was settled and what was not",
		publish("a").after(nothing).isStored(),
		publish("b").after("a").isStored(),
		publish("c").after("b").isStored(),
		claims().with(wait(soonDue)).makes(),
		takes("a", "b", "c").inOrder(),
		settles("a"),
		durableHas(2, "a"),
		restarts(),
		claims().with(wait(soonDue)).goesOn(2),
		takesAgain("b", "c").inOrder(),
	),
}

func from(id string) func(*stage, *stream.Durable) {
	return func(s *stage, d *stream.Durable) { d.Start.Sequence = s.sequences[id] }
}

func since(ago time.Duration) func(*stage, *stream.Durable) {
	return func(_ *stage, d *stream.Durable) { d.Start.Since = time.Now().Add(ago) }
}

func filters(subjects ...string) func(*stage, *stream.Durable) {
	return func(_ *stage, d *stream.Durable) { d.Subjects = subjects }
}

func fromEnd(_ *stage, d *stream.Durable) { d.FromEnd = true }
func anew(_ *stage, d *stream.Durable)    { d.Anew = true }

// shared: both readers together get each of the messages once.
func shared(ids ...string) step {
	return func(s *stage) {
		s.Helper()
		got := map[string]int{}
		for ctx := s.soon(); len(got) < len(ids); {
			for _, other := range []bool{false, true} {
				for _, m := range s.briefly(ctx, s.reader(other)) {
					got[m.ID]++
				}
			}
			if ctx.Err() != nil {
				break
			}
		}
		for _, id := range ids {
			if got[id] != 1 {
				s.Fatalf("got %v, want each of %q once", got, ids)
			}
		}
	}
}
