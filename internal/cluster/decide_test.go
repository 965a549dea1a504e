package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/stream"
)

// world is a board as w1 has read it. A line is a key and a value in short:
//
//	w2 caught-up c1,c2      a member that has read the stream, and follows c1 and c2; leaving, behind
//	c1 w2 40                a CommCell's owner and its tracked jobs; -: nobody
//	tick 3                  ticks of w1 in which nothing came but w1's own beats
//	paused 3                ticks in which not even those came
type world struct {
	*board
	t    *testing.T
	last uint64
}

func read(t *testing.T, lines ...string) *world {
	w := &world{board: newBoard("w1"), t: t}
	for _, line := range lines {
		w.line(line)
	}
	return w
}

func (w *world) line(line string) {
	words := strings.Fields(line)
	switch {
	case words[0] == "tick", words[0] == "paused":
		n := 0
		fmt.Sscan(words[1], &n)
		for range n {
			w.tick()
			if words[0] == "tick" && w.members["w1"] != nil {
				w.beats("w1")
			}
		}
	case words[0][0] == 'w':
		w.member(words)
	default:
		w.owner(words)
	}
}

func (w *world) member(words []string) {
	m := member{Layout: layout, Epoch: words[0], Settings: map[string]string{}}
	for _, word := range words[1:] {
		switch word {
		case "caught-up":
			m.CaughtUp = true
		case "leaving":
			m.Leaving = true
		case "newer":
			m.Layout = layout + 1
		case "older":
			m.Layout = layout - 1
		default:
			for cell := range strings.SplitSeq(word, ",") {
				m.Settings[cell] = "same"
			}
		}
	}
	w.write(memberPrefix+words[0], m)
}

// beats has a member write what it wrote before.
func (w *world) beats(name string) {
	s := w.members[name]
	w.write(memberPrefix+name, s.member)
}

func (w *world) owner(words []string) {
	c := claim{Layout: layout, Instance: words[1], Term: 1, Why: Start}
	if before := w.owners[words[0]]; before != nil {
		c.Term = before.Term + 1
	}
	if len(words) > 2 {
		fmt.Sscan(words[2], &c.Tracked)
	}
	if words[1] == "-" {
		c.Instance, c.Why = "", Handover
		if len(words) > 2 {
			c.Next = words[2]
		}
	}
	w.write(ownerPrefix+words[0], c)
}

func (w *world) write(key string, value any) {
	w.t.Helper()
	text, err := encode(value, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.last++
	w.take([]stream.Entry{{Key: key, Value: text, Revision: w.last}})
}

func (p plan) String() string {
	var words []string
	for _, cell := range slices.Sorted(maps.Keys(p.claims)) {
		words = append(words, fmt.Sprintf("claim %s %s", cell, p.claims[cell]))
	}
	for _, cell := range slices.Sorted(maps.Keys(p.gives)) {
		words = append(words, strings.TrimSpace(fmt.Sprintf("give %s %s %s", cell, p.gives[cell].why, p.gives[cell].to)))
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	three := []string{"w1 caught-up c1,c2,c3", "w2 caught-up c1,c2,c3", "w3 caught-up c1,c2,c3"}
	for name, row := range map[string]struct {
		lines  []string
		cells  string // followed; default c1,c2,c3. -c1: its CommServe does not answer
		polls  string // default: what it owns
		behind bool
		leave  bool
		want   string
	}{
		"nobody had them: others may start at the same moment": {lines: append(three[:1:1], "tick 2"), want: ""},
		"nobody had them, and nobody else is there":            {lines: append(three[:1:1], "tick 3"), want: "claim c1 start, claim c2 start, claim c3 start"},
		"each takes its share at the start":                    {lines: append(three[:3:3], "tick 3"), want: "claim c1 start"},
		"what it owned before it started again":                {lines: append(three[:3:3], "c1 w1", "c2 w2", "c3 w3"), polls: "-", want: "claim c1 start"},
		"all is well":                                          {lines: append(three[:3:3], "c1 w1", "c2 w2", "c3 w3", "tick 1"), want: ""},
		"an owner is silent, and not yet dead":                 {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "tick 5"), want: ""},
		"an owner is dead":                                     {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "tick 6"), want: "claim c2 death"},
		"this one was paused, and not the owner":               {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "paused 60"), want: ""},
		"paused, and one beat is back":                         {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "paused 60", "tick 1"), want: ""},
		"paused, and two beats are back":                       {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "paused 60", "tick 3"), want: "claim c2 death"},
		"it has more to do than another who lives: that one is to take it": {
			lines: []string{"w1 caught-up c1,c2", "w2 caught-up c1,c2", "c1 w1 90", "c2 w2 90", "w3 caught-up", "tick 5", "w3 caught-up c1,c2", "tick 1"}, cells: "c1,c2", want: "",
		},
		"that one has not taken it": {
			lines: []string{
				"w1 caught-up c1,c2", "w2 caught-up c1,c2", "c1 w1 90", "c2 w2 90", "w3 caught-up", "tick 5", "w3 caught-up c1,c2", "tick 2",
			},
			cells: "c1,c2", want: "claim c2 death",
		},
		"it has not read the stream, and another has":  {lines: []string{"w1 c1", "w2 caught-up c1", "tick 9", "w2 caught-up c1"}, cells: "c1", behind: true, want: ""},
		"it has not read the stream, and nobody has":   {lines: []string{"w1 c1", "w2 c2", "tick 9", "w2 c2"}, cells: "c1", behind: true, want: "claim c1 start"},
		"it was given one":                             {lines: append(three[:3:3], "c1 -  w1", "c2 w2", "c3 w3"), want: "claim c1 handover"},
		"another was given one":                        {lines: append(three[:3:3], "c1 - w2", "c2 w1", "c3 w3"), want: ""},
		"another was given one, and did not take it":   {lines: append(three[:3:3], "c1 - w2", "c2 w2 90", "c3 w3 90", "tick 1"), want: "claim c1 handover"},
		"an owner was told to leave":                   {lines: append(three[:1:1], "w2 leaving c1", "c1 w2", "c2 w1", "c3 w1", "tick 4"), want: ""},
		"an owner was told to leave, and does not":     {lines: append(three[:1:1], "w2 leaving c1", "c1 w2", "c2 w1", "c3 w1", "tick 5", "w2 leaving c1", "tick 1"), want: "claim c1 handover"},
		"it was told to leave":                         {lines: append(three[:2:2], "c1 w1", "c2 w2", "c3 w1", "tick 1"), leave: true, want: "give c1 handover w2, give c3 handover w2"},
		"it was told to leave, and is alone":           {lines: append(three[:1:1], "c1 w1"), leave: true, want: "give c1 handover"},
		"its configuration lacks one":                  {lines: append(three[:2:2], "c1 w1", "c2 w1", "c3 w2", "tick 1"), cells: "c1,c3", want: "give c2 handover w2"},
		"another's configuration lacks one":            {lines: []string{"w1 caught-up c1,c2", "w2 caught-up c2", "w3 caught-up c1", "c1 w3", "c2 w1 90", "tick 6", "w2 caught-up c2"}, cells: "c1,c2", want: "claim c1 death"},
		"the bucket is new, and it polls one":          {lines: three[:3], polls: "c2", want: "claim c2 start"},
		"a member is of a newer version":               {lines: append(three[:1:1], "w2 caught-up newer c1,c2,c3", "c1 w3", "tick 9", "w2 caught-up newer c1,c2,c3"), want: ""},
		"of a newer version, and it has started again": {lines: append(three[:1:1], "w2 caught-up newer c1,c2,c3", "c1 w1"), polls: "-", want: "claim c1 start"},
		"it leaves, and of two others one is newer, beside which the other claims nothing": {
			lines: append(three[:2:2], "w3 caught-up newer c1,c2,c3", "c1 w1", "c3 w3 90", "tick 1"), leave: true, want: "give c1 handover w3",
		},
		"who has less to do is older, and claims nothing": {
			lines: []string{"w1 caught-up c1,c2", "w2 older caught-up c1,c2", "c2 w1 90", "c1 -", "tick 1"}, cells: "c1,c2", want: "claim c1 handover",
		},
		"an older one has read the stream, and this one has not": {
			lines: []string{"w1 c1", "w2 older caught-up c1", "c1 -", "tick 1"}, cells: "c1", behind: true, want: "claim c1 handover",
		},
		"much to do, and it has just changed":            {lines: append(three[:2:2], "c1 w1 50", "c2 w1 50", "c3 w1 50", "calm 59"), want: ""},
		"much to do, for a minute":                       {lines: append(three[:2:2], "c1 w1 50", "c2 w1 50", "c3 w1 50", "calm 60"), want: "give c1 balance w2"},
		"much to do, but that CommServe does not answer": {lines: append(three[:2:2], "c1 w1 50", "c2 w1 50", "c3 w1 50", "calm 60"), cells: "-c1,c2,c3", want: "give c2 balance w2"},
		"others have more to do":                         {lines: append(three[:3:3], "c1 w1 50", "c2 w2 50", "c3 w2 50", "calm 60"), want: ""},
		"as even as it gets":                             {lines: append(three[:2:2], "c1 w1 50", "c2 w1 50", "c3 w2 50", "calm 60"), want: ""},
		"a little to do more is no reason to move":       {lines: append(three[:2:2], "c1 w1 500", "c2 w1 0", "c3 w2 485", "calm 60"), want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := read(t)
			for _, line := range row.lines {
				if n, calm := strings.CutPrefix(line, "calm "); calm {
					for name := range w.members {
						w.beats(name)
					}
					fmt.Sscan(n, &w.calm)
					continue
				}
				w.line(line)
			}
			s := situation{caughtUp: !row.behind, leaving: row.leave, cells: map[string]bool{}, polls: map[string]bool{}}
			cells := row.cells
			if cells == "" {
				cells = "c1,c2,c3"
			}
			for cell := range strings.SplitSeq(cells, ",") {
				name, silent := strings.CutPrefix(cell, "-")
				s.cells[name] = !silent
			}
			switch row.polls {
			case "":
				for cell := range w.ownedBy("w1") {
					s.polls[cell] = true
				}
			case "-":
			default:
				s.polls[row.polls] = true
			}
			if got := w.decide(s).String(); got != row.want {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

// TestEachTakesItsOwn: members that see the same claim different CommCells, all of them together, so that no two race.
func TestEachTakesItsOwn(t *testing.T) {
	taken := map[string]string{}
	for _, me := range []string{"w1", "w2", "w3"} {
		w := read(t, "w1 caught-up a,b,c,d,e,f", "w2 caught-up a,b,c,d,e,f", "w3 caught-up a,b,c,d,e,f")
		w.me, w.age = me, startTicks+1
		s := situation{caughtUp: true, cells: map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true}}
		claims := w.decide(s).claims
		if len(claims) != 2 {
			t.Errorf("%s claims %v, want two", me, claims)
		}
		for cell := range claims {
			if taken[cell] != "" {
				t.Errorf("%s and %s both claim %s", taken[cell], me, cell)
			}
			taken[cell] = me
		}
	}
}

// TestMovesEnd plays the balance of drawn loads to its end: nothing is moved for ever, and no load is far from the others.
func TestMovesEnd(t *testing.T) {
	w := read(t, "w1 caught-up a,b,c,d,e,f,g,h,i,j,k,l", "w2 caught-up a,b,c,d,e,f,g,h,i,j,k,l", "w3 caught-up a,b,c,d,e,f,g,h,i,j,k,l")
	cells := map[string]bool{}
	for i, cell := range strings.Split("a b c d e f g h i j k l", " ") {
		w.line(fmt.Sprintf("%s w1 %d", cell, 100+i%3))
		cells[cell] = true
	}
	moves := 0
	for ; moves < 100; moves++ {
		moved := false
		for _, me := range []string{"w1", "w2", "w3"} {
			w.me, w.calm = me, calmTicks
			if cell, to := w.move(situation{cells: cells}); cell != "" {
				w.line(fmt.Sprintf("%s %s %d", cell, to, w.owners[cell].Tracked))
				moved = true
				break
			}
		}
		if !moved {
			break
		}
	}
	for name := range w.members {
		if n := len(w.ownedBy(name)); n != 4 {
			t.Errorf("%s has %d of twelve", name, n)
		}
	}
	if moves != 8 {
		t.Errorf("%d moves, want 8", moves)
	}
}
