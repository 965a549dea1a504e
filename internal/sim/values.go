package sim

import "strconv"

// value begins a member that is no object, in quotes where the format or the member wants them.
func (w *writer) value(name string, quoted bool) {
	if w.xml {
		w.b = append(w.b, ' ')
		w.b = append(w.b, name...)
		w.b = append(w.b, `="`...)
		return
	}
	w.name(name)
	w.quote(quoted)
}

func (w *writer) quote(quoted bool) {
	if quoted || w.xml {
		w.b = append(w.b, '"')
	}
}

// Each value as it stands in JSON, and in XML:

// text is "Scan" and "Scan".
func (w *writer) text(name, text string) {
	w.value(name, true)
	if w.xml {
		w.b = appendEscaped(w.b, text)
	} else {
		w.b = appendQuotable(w.b, text)
	}
	w.quote(true)
}

// number is 12 and "12".
func (w *writer) number(name string, n int64) {
	w.value(name, false)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.quote(false)
}

// numeral is "12" and "12".
func (w *writer) numeral(name string, n int64) {
	w.value(name, true)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.quote(true)
}

// ratio is 12.50 and "12.50".
func (w *writer) ratio(name string, f float64) {
	w.value(name, false)
	w.b = strconv.AppendFloat(w.b, f, 'f', 2, 64)
	w.quote(false)
}

// ratioText is "12.50" and "12.50".
func (w *writer) ratioText(name string, f float64) {
	w.value(name, true)
	w.b = strconv.AppendFloat(w.b, f, 'f', 2, 64)
	w.quote(true)
}

// percent is 12 and "12.000000".
func (w *writer) percent(name string, n int) {
	w.value(name, false)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
	if w.xml {
		w.b = append(w.b, ".000000"...)
	}
	w.quote(false)
}

// size is 4571424148 and "4.571424E+09".
func (w *writer) size(name string, n int64) {
	w.value(name, false)
	if w.xml {
		w.b = strconv.AppendFloat(w.b, float64(n), 'G', 7, 64)
	} else {
		w.b = strconv.AppendInt(w.b, n, 10)
	}
	w.quote(false)
}

// flag is true and "1".
func (w *writer) flag(name string, is bool) {
	if !w.xml {
		w.word(name, is)
		return
	}
	n := int64(0)
	if is {
		n = 1
	}
	w.number(name, n)
}

// word is true and "true".
func (w *writer) word(name string, is bool) {
	w.value(name, false)
	w.b = strconv.AppendBool(w.b, is)
	w.quote(false)
}

// enum is 2 and "INCREMANTAL".
func (w *writer) enum(name string, n int64, word string) {
	if w.xml {
		w.text(name, word)
		return
	}
	w.number(name, n)
}
