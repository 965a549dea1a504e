package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// put notes whether the file says something else than the default, which *dst holds until now.
func put[T comparable](r *reader, n node, dst *T, v T) {
	if *dst != v {
		r.set[n.key] = true
	}
	*dst = v
}

// text reads a text that every check accepts; a check's error says what is wrong and mends it.
func (r *reader) text(dst *string, checks ...func(string) error) func(node) {
	return func(n node) {
		s, ok := r.textAt(n, checks)
		if ok {
			put(r, n, dst, s)
		}
	}
}

func (r *reader) textAt(n node, checks []func(string) error) (string, bool) {
	s, ok := r.scalar(n)
	if !ok {
		return "", false
	}
	if s.typed {
		r.refuse(n, s, "wants text; put it in quotes")
		return "", false
	}
	for _, check := range checks {
		if err := check(s.text); err != nil {
			r.refuse(n, s, "%v", err)
			return "", false
		}
	}
	return s.text, true
}

// secret reads a text that no error may show.
func (r *reader) secret(dst *string) func(node) {
	return func(n node) {
		n.secret = true
		s, ok := r.textAt(n, []func(string) error{func(s string) error { return sendable(trimLineEnd(s)) }})
		if ok {
			put(r, n, dst, trimLineEnd(s))
		}
	}
}

// oneOf reads one of a few words.
func (r *reader) oneOf(dst *string, words ...string) func(node) {
	return r.text(dst, func(s string) error {
		for _, word := range words {
			if s == word {
				return nil
			}
		}
		return errors.New("wants " + alternatives(words))
	})
}

// alternatives is "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (r *reader) boolean(dst *bool) func(node) {
	return func(n node) {
		s, ok := r.scalar(n)
		switch {
		case !ok:
		case s.quoted || s.text != "true" && s.text != "false":
			r.refuse(n, s, "wants true or false, without quotes")
		default:
			put(r, n, dst, s.text == "true")
		}
	}
}

// whole reads a whole number from least to most.
func whole[T int | int64](r *reader, dst *T, least, most T) func(node) {
	return func(n node) {
		if v, ok := r.wholeAt(n, int64(least), int64(most)); ok {
			put(r, n, dst, T(v))
		}
	}
}

func (r *reader) wholeAt(n node, least, most int64) (int64, bool) {
	s, ok := r.scalar(n)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(s.text, 10, 64)
	switch {
	case s.quoted && err == nil:
		r.refuse(n, s, "wants a number; leave the quotes out")
	case err != nil && !errors.Is(err, strconv.ErrRange):
		r.refuse(n, s, "wants a whole number")
	case v < least:
		r.refuse(n, s, "wants %d or more", least)
	case err != nil || v > most: // a number out of range is read as the nearest in it
		r.refuse(n, s, "wants %d or less", most)
	default:
		return v, true
	}
	return 0, false
}

// rate reads a number that is not below 0.
func (r *reader) rate(dst *float64) func(node) {
	return func(n node) {
		s, ok := r.scalar(n)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(s.text, 64)
		switch {
		case s.quoted || err != nil:
			r.refuse(n, s, "wants a number, without quotes")
		case !(v >= 0) || math.IsInf(v, 1): // NaN is not >= 0
			r.refuse(n, s, "wants 0 (no limit) or more")
		default:
			put(r, n, dst, v)
		}
	}
}

// duration reads a Go duration; least is 0 or positive.
func (r *reader) duration(dst *time.Duration, least time.Duration) func(node) {
	return func(n node) {
		s, ok := r.scalar(n)
		if !ok {
			return
		}
		v, err := parseDuration("", s.text)
		switch {
		case err != nil:
			r.refuse(n, s, "%v", err)
		case v < least && least == positive:
			r.refuse(n, s, "wants a duration above 0")
		case v < least:
			r.refuse(n, s, "wants 0 or more")
		default:
			put(r, n, dst, v)
		}
	}
}

// durationOrOff takes 0 for off.
func (r *reader) durationOrOff(dst *time.Duration, least time.Duration) func(node) {
	return func(n node) {
		before := len(r.errs)
		r.duration(dst, 0)(n)
		if s, ok := r.scalar(n); ok && len(r.errs) == before && *dst > 0 && *dst < least {
			r.refuse(n, s, "wants %v or more, or 0 for off", least)
		}
	}
}

// positive is the shortest duration there is.
const positive = time.Nanosecond
