package sim

import "strconv"

// attemptsInfo is written in one of several ways, one for each job: its true shape is documented nowhere.
func (m *moment) attemptsInfo(w *writer) {
	switch mix(uint64(m.ID)) % 3 {
	case 0: // numbered
		w.list("attemptsInfo", int(m.tries), func(i int) {
			w.number("attemptNumber", int64(i)+1)
			m.attempt(w, i)
		})
	case 1: // to be counted
		w.list("attemptsInfo", int(m.tries), func(i int) { m.attempt(w, i) })
	case 2: // the last one alone, and its number a text
		w.object("attemptsInfo", func() {
			w.list("attempts", 1, func(int) {
				w.text("attempt", strconv.FormatInt(m.tries, 10))
				m.attempt(w, int(m.tries)-1)
			})
		})
	}
}

func (m *moment) attempt(w *writer, i int) {
	status := "Running"
	if int64(i)+1 < m.tries {
		status = "Pending"
	}
	w.text("status", status)
	w.number("startTime", m.began().Unix()+int64(i))
}
