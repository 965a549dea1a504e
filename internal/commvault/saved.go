package commvault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"jobwatch/internal/job"
)

// DecodeSaved reads an answer to JobDetails as people have it in a file: whole, or the pieces that SDKs give of it; in an
// array of one, in a string of JSON, in UTF-16, behind the head of an HTTP response. What a CommServe sends is never
// read so. The errors are those of Decode, or say what the file holds instead.
func DecodeSaved(commcell string, saved []byte) (job.Snapshot, error) {
	body, err := wholeOf(saved, 0)
	if err != nil {
		return job.Snapshot{}, err
	}
	return Decode(commcell, 0, body)
}

const maxWrappings = 8 // of arrays, strings and objects around one another

// wholeOf makes a whole answer of what was saved of it. What it does not know it leaves as it is.
func wholeOf(saved []byte, depth int) ([]byte, error) {
	body := withoutHead(bare(inUTF8(saved)))
	if err := noAnswer(body); err != nil {
		return nil, err
	}
	if body[0] == '<' || tooDeep(body) {
		return body, nil
	}
	body = plain(body)
	if !jsontext.Value(body).IsValid(tolerant) {
		return around(body, depth)
	}
	found, err := unwrapped(body, depth)
	if found == nil {
		found = body
	}
	return found, err
}

// unwrapped gives the whole answer that a value holds, nil where it cannot be told.
func unwrapped(value jsontext.Value, depth int) ([]byte, error) {
	if depth == maxWrappings {
		return nil, nil
	}
	switch value.Kind() {
	case '"':
		return wholeOf([]byte(unquote(value)), depth+1)
	case '[':
		return fromArray(value, depth)
	case '{':
		return fromObject(value, depth)
	}
	return nil, nil
}

func fromArray(value jsontext.Value, depth int) ([]byte, error) {
	var elements []jsontext.Value
	if err := json.Unmarshal(value, &elements, tolerant); err != nil {
		return nil, err
	}
	switch len(elements) {
	case 0:
		return nil, errors.New("an empty array, and no answer")
	case 1:
		found, err := unwrapped(elements[0], depth+1)
		if found == nil {
			found = elements[0]
		}
		return found, err
	}
	if _, err := unwrapped(elements[0], depth+1); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("an array of %d; inspect takes one answer a file: save each in its own", len(elements))
}

// fromObject looks into what stands around a job's details: the answer itself, and what PowerShell makes of an array
// (value) and of a response (Content).
func fromObject(value jsontext.Value, depth int) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members, tolerant); err != nil {
		return nil, err
	}
	has := func(name string) bool { _, found := members[name]; return found }
	if slices.ContainsFunc(sections, has) {
		return slices.Concat([]byte(`{"job":{"jobDetail":`), value, []byte("}}")), nil
	}
	for _, name := range []string{detailsRoot, "job", "jobDetail", "value", "Content"} {
		if has(name) {
			return unwrapped(members[name], depth+1)
		}
	}
	return nil, anotherAnswer(members)
}

// around takes the answer out of a text around it: a line of a log, say. Where there is none, the text stays.
func around(body []byte, depth int) ([]byte, error) {
	first, last := bytes.IndexByte(body, '{'), bytes.LastIndexByte(body, '}')
	if first < 0 || last < first {
		return body, nil
	}
	inner := body[first : last+1]
	switch {
	case jsontext.Value(inner).IsValid(tolerant):
		if found, err := unwrapped(inner, depth+1); found != nil || err != nil {
			return found, err
		}
	case first == 0 && severalIn(body):
		return nil, errors.New("several answers, one behind the other; inspect takes one a file: save each in its own")
	}
	return body, nil
}

func severalIn(body []byte) bool {
	decoder := jsontext.NewDecoder(bytes.NewReader(body), tolerant)
	for range 2 {
		if value, err := decoder.ReadValue(); err != nil || value.Kind() != '{' {
			return false
		}
	}
	return true
}

// withoutHead takes away what curl -i prints before the body.
func withoutHead(body []byte) []byte {
	for bytes.HasPrefix(body, []byte("HTTP/")) {
		_, rest, found := bytes.Cut(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
		if !found {
			return body
		}
		body = bare(rest)
	}
	return body
}

// inUTF8 reads UTF-16, which Windows PowerShell writes: with a byte order mark, or without one as the text's first
// character shows, which is one of ASCII.
func inUTF8(saved []byte) []byte {
	var order binary.ByteOrder
	switch {
	case len(saved) < 2:
		return saved
	case saved[0] == 0xFF && saved[1] == 0xFE, saved[0] != 0 && saved[1] == 0:
		order = binary.LittleEndian
	case saved[0] == 0xFE && saved[1] == 0xFF, saved[0] == 0 && saved[1] != 0:
		order = binary.BigEndian
	default:
		return saved
	}
	units := make([]uint16, len(saved)/2)
	for i := range units {
		units[i] = order.Uint16(saved[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}
