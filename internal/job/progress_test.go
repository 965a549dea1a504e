package job

import "testing"

func TestProgress(t *testing.T) {
	half := func(s *Snapshot) { s.PercentComplete = new(50.0) }
	for _, row := range []struct {
		words string
		next  func(*Snapshot)
		moves bool
	}{
		{"the same", half, false},
		{"nothing said", func(*Snapshot) {}, false},
		{"a percent more", func(s *Snapshot) { s.PercentComplete = new(51.0) }, true},
		{"a percent less", func(s *Snapshot) { s.PercentComplete = new(49.0) }, true},
		{"files found", func(s *Snapshot) { s.TotalFiles = new(int64(1)) }, true},
		{"a file", func(s *Snapshot) { s.FilesTransferred = new(int64(1)) }, true},
		{"no file", func(s *Snapshot) { s.FilesTransferred = new(int64(0)) }, true}, // it said nothing of them before
		{"an object", func(s *Snapshot) { s.Objects = new(int64(1)) }, true},
		{"bytes read", func(s *Snapshot) { s.SizeOfApplication = new(int64(1)) }, true},
		{"bytes written", func(s *Snapshot) { s.DataWritten = new(int64(1)) }, true},
		{"bytes sent", func(s *Snapshot) { s.DataTransferred = new(int64(1)) }, true},
		{"a phase", func(s *Snapshot) { s.Phase = "Backup" }, true},
		{"an attempt", func(s *Snapshot) { s.Attempt = new(int64(1)) }, true},
		{"time spent", func(s *Snapshot) { s.ElapsedSeconds = new(int64(1)) }, false},
		{"another speed", func(s *Snapshot) { s.Throughput = new(1.0) }, false},
		{"a reason", func(s *Snapshot) { s.Reason = "no media" }, false},
	} {
		var before, next Snapshot
		half(&before)
		row.next(&next)
		progress := Progress{}.Next(&before)
		if moves := progress.Next(&next) != progress; moves != row.moves {
			t.Errorf("%s: moves %t, want %t", row.words, moves, row.moves)
		}
	}
}

// Steps are seldom taken for none.
func TestProgressTellsNumbersApart(t *testing.T) {
	for _, step := range []int64{1, 10, 1000, 1 << 10, 1 << 20, 1 << 30, 1 << 40} {
		same := 0
		for i := range int64(1000) {
			before, next := Snapshot{DataWritten: new(i * step)}, Snapshot{DataWritten: new((i + 1) * step)}
			if p := (Progress{}).Next(&before); p.Next(&next) == p {
				same++
			}
		}
		if same > 1 {
			t.Errorf("of 1000 steps of %d bytes %d look like none", step, same)
		}
	}
}
