package commvault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"jobwatch/internal/job"
)

// DecodeSaved reads an answer to JobDetails as people have it in a file: whole, or the pieces that SDKs give of it; in
// an array of one, in a string of JSON, in UTF-16, behind the head of an HTTP response. What a CommServe sends is
// never read so. The errors are those of Client.JobDetails, or say what the file holds instead.
func DecodeSaved(commcell string, saved []byte) (job.Snapshot, error) {
	body, err := completeAnswer(saved, 0)
	if err != nil {
		return job.Snapshot{}, err
	}
	return decodeBody(commcell, 0, body)
}

// decodeBody reads a saved answer to JobDetails, also the inner elements alone of one in XML. Number 0
// takes any job's; else the answer must be of that job. The errors are those of Client.JobDetails.
func decodeBody(commcell string, number int64, body []byte) (job.Snapshot, error) {
	snapshot, err := decodeDetails(commcell, number, completeXML(body))
	if e, ok := errors.AsType[*Error](err); ok {
		e.Operation, e.Job, e.Code, e.Words = "JobDetails", number, http.StatusOK, oneLine(e.Words)
	}
	return snapshot, err
}

const maxWrappings = 8 // of arrays, strings and objects around one another

// completeAnswer makes a whole answer of what was saved of it. What it does not know it leaves as it is.
func completeAnswer(saved []byte, depth int) ([]byte, error) {
	body := withoutHead(trim(inUTF8(saved)))
	if err := describeOther(body); err != nil {
		return nil, err
	}
	if body[0] == '<' || tooDeep(body) {
		return body, nil
	}
	body = normalizeJSON(body)
	if !jsontext.Value(body).IsValid(tolerant) {
		return extractAnswer(body, depth)
	}
	found, err := unwrap(body, depth)
	if found == nil {
		found = body
	}
	return found, err
}

// unwrap gives the whole answer that a value holds, nil where none is found.
func unwrap(value jsontext.Value, depth int) ([]byte, error) {
	if depth == maxWrappings {
		return nil, nil
	}
	switch value.Kind() {
	case '"':
		return completeAnswer([]byte(unquote(value)), depth+1)
	case '[':
		return fromArray(value, depth)
	case '{':
		return fromObject(value, depth)
	}
	return nil, nil
}

func fromArray(value jsontext.Value, depth int) ([]byte, error) {
	var elements []jsontext.Value
	_ = json.Unmarshal(value, &elements, tolerant) // valid JSON: cannot fail
	switch len(elements) {
	case 0:
		return nil, errors.New("an empty array, and no answer")
	case 1:
		found, err := unwrap(elements[0], depth+1)
		if found == nil {
			found = elements[0]
		}
		return found, err
	}
	if _, err := unwrap(elements[0], depth+1); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("an array of %d; inspect takes one answer a file: save each in its own", len(elements))
}

// fromObject looks into what stands around a job's details: the answer itself, and what PowerShell makes of an array
// (value) and of a response (Content).
func fromObject(value jsontext.Value, depth int) ([]byte, error) {
	var members map[string]jsontext.Value
	_ = json.Unmarshal(value, &members, tolerant) // valid JSON: cannot fail
	has := func(name string) bool { _, found := members[name]; return found }
	if slices.ContainsFunc(sections, has) {
		return slices.Concat([]byte(`{"job":{"jobDetail":`), value, []byte("}}")), nil
	}
	for _, name := range []string{detailsRoot, "job", "jobDetail", "value", "Content"} {
		if has(name) {
			return unwrap(members[name], depth+1)
		}
	}
	return nil, describeObject(members)
}

// extractAnswer takes the answer out of a text around it: a line of a log, say. Where there is none, the text stays.
func extractAnswer(body []byte, depth int) ([]byte, error) {
	first, last := bytes.IndexByte(body, '{'), bytes.LastIndexByte(body, '}')
	if first < 0 || last < first {
		return body, nil
	}
	inner := body[first : last+1]
	switch {
	case jsontext.Value(inner).IsValid(tolerant):
		if found, err := unwrap(inner, depth+1); found != nil || err != nil {
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
		body = trim(rest)
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

const saveAdvice = "; save the answer to POST JobDetails"

var (
	// What ConvertTo-Json writes in place of what lies deeper than it goes, 2 unless told: "@{jobId=71; …}".
	cutByPowerShell = regexp.MustCompile(`[:\[,]\s*"(@\{\w+=|System\.(Object\[\]|Collections\.))`)
	// What PowerShell shows of an object: generalInfo : @{jobId=71; …}
	shownByPowerShell = regexp.MustCompile(`^@\{|(?m)^\w+\s+: (@\{|\w)`)
	isHTML            = regexp.MustCompile(`(?i)^<(!doctype html|html)\b`)
)

// describeOther says of a text that is no answer in any form what it is; nil where it may be one.
func describeOther(body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("empty: there is no answer in it")
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return errors.New("compressed with gzip; unpack it first")
	case isHTML.Match(body):
		return fmt.Errorf("a web page, %q, and no answer"+saveAdvice, oneLine(titleOf(body)))
	case firstElement(withoutDeclaration(body)) == "Objs":
		return errors.New("what PowerShell's Export-Clixml writes; save it with ConvertTo-Json -Depth 10")
	case body[0] == '<':
		return describeXML(firstElement(withoutDeclaration(body)))
	case bytes.HasPrefix(body, []byte("{'")):
		return errors.New("what Python prints of a dictionary, and no JSON; save it with json.dump")
	case cutByPowerShell.Match(body):
		return errors.New("cut by PowerShell's ConvertTo-Json, which goes 2 levels deep; save it with ConvertTo-Json -Depth 10")
	case body[0] != '{' && body[0] != '[' && body[0] != '"' && shownByPowerShell.Match(body):
		return errors.New("what PowerShell shows of an object, and no JSON; save it with ConvertTo-Json -Depth 10")
	}
	return nil
}

func describeXML(root string) error {
	switch root {
	case listRoot:
		return errors.New("a Job list, and no job's details" + saveAdvice)
	case loginRoot:
		return errors.New("the answer to a login, and no job's details" + saveAdvice)
	}
	return nil
}

// describeObject says of an object without a job's details what it is; nil where that is not known.
func describeObject(members map[string]jsontext.Value) error {
	for _, known := range []struct{ members, is string }{
		{"jobs", "a Job list or a job's summary"},
		{"totalRecordsWithoutPaging", "a Job list"},
		{"jobSummary", "a job's summary"},
		{"jobId status", "a job's summary"},
		{"commservEvents", "an answer to GET Events"},
		{"token", "the answer to a login"},
		{"aliasName userGUID", "the answer to a login"},
		{"accessToken refreshToken", "the answer to the renewal of a token"},
		{"specversion", "an event"},
		{"commcell stateClass", "a job as jobwatch shows it"},
	} {
		all := true
		for name := range strings.FieldsSeq(known.members) {
			_, found := members[name]
			all = all && found
		}
		if all {
			return errors.New(known.is + ", and no job's details" + saveAdvice)
		}
	}
	return nil
}

// sections are the parts of a job's details, in the order in which the documentation prints them.
var sections = []string{"generalInfo", "progressInfo", "detailInfo", "clientStatusInfo", "vmStatus", "clientStatus"}

// completeXML gives a saved piece of an answer in XML the elements around it that it lost, and any other
// body as it is. The documentation prints its samples so: the first section is left open, and vmStatus
// stands by itself. What a CommServe sends is never completed.
func completeXML(body []byte) []byte {
	piece := withoutDeclaration(trim(body))
	switch first := firstElement(piece); {
	case first == "job":
		return wrap(piece, detailsRoot)
	case first == "jobDetail":
		return wrap(piece, detailsRoot, "job")
	case slices.Contains(sections, first):
		return wrap(closeGeneral(gatherMachines(piece)), detailsRoot, "job", "jobDetail")
	}
	return body
}

// gatherMachines wraps all from the first vmStatus or clientStatus on.
func gatherMachines(piece []byte) []byte {
	at, clients := indexElement(piece, "vmStatus"), indexElement(piece, "clientStatus")
	if at < 0 || clients >= 0 && clients < at {
		at = clients
	}
	if at < 0 || indexElement(piece, "clientStatusInfo") >= 0 {
		return piece
	}
	return slices.Concat(piece[:at], wrap(piece[at:], "clientStatusInfo"))
}

var generalIsClosed = regexp.MustCompile(`</generalInfo|<generalInfo\b(?:[^"'>]|"[^"]*"|'[^']*')*/>`)

// closeGeneral closes an open generalInfo before the next section.
func closeGeneral(piece []byte) []byte {
	at := indexElement(piece, "generalInfo")
	if at < 0 || generalIsClosed.Match(piece) {
		return piece
	}
	end := len(piece)
	for _, name := range sections[1:] {
		if next := indexElement(piece[at:], name); next >= 0 {
			end = min(end, at+next)
		}
	}
	return slices.Concat(piece[:end], []byte("</generalInfo>"), piece[end:])
}

// indexElement is where the first element of the name begins, -1 where none does.
func indexElement(piece []byte, name string) int {
	for from := 0; ; {
		at := bytes.Index(piece[from:], []byte("<"+name))
		if at < 0 {
			return -1
		}
		if from += at; firstElement(piece[from:]) == name {
			return from
		}
		from++
	}
}

func wrap(piece []byte, names ...string) []byte {
	for _, name := range slices.Backward(names) {
		piece = slices.Concat([]byte("<"+name+">"), piece, []byte("</"+name+">"))
	}
	return piece
}
