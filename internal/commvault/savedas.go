package commvault

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const mend = "; save the answer to POST JobDetails"

var (
	// What ConvertTo-Json writes in place of what lies deeper than it goes, 2 unless told: "@{jobId=71; …}".
	cutByPowerShell = regexp.MustCompile(`[:\[,]\s*"(@\{\w+=|System\.(Object\[\]|Collections\.))`)
	// What PowerShell shows of an object: generalInfo : @{jobId=71; …}
	shownByPowerShell = regexp.MustCompile(`^@\{|(?m)^\w+\s+: (@\{|\w)`)
	isHTML            = regexp.MustCompile(`(?i)^<(!doctype html|html)\b`)
)

// noAnswer says of a text that is no answer in any form what it is; nil where it may be one.
func noAnswer(body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("empty: there is no answer in it")
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return errors.New("compressed with gzip; unpack it first")
	case isHTML.Match(body):
		return fmt.Errorf("a web page, %q, and no answer"+mend, oneLine(titleOf(body)))
	case firstElement(withoutDeclaration(body)) == "Objs":
		return errors.New("what PowerShell's Export-Clixml writes; save it with ConvertTo-Json -Depth 10")
	case body[0] == '<':
		return anotherXML(firstElement(withoutDeclaration(body)))
	case bytes.HasPrefix(body, []byte("{'")):
		return errors.New("what Python prints of a dictionary, and no JSON; save it with json.dump")
	case cutByPowerShell.Match(body):
		return errors.New("cut by PowerShell's ConvertTo-Json, which goes 2 levels deep; save it with ConvertTo-Json -Depth 10")
	case body[0] != '{' && body[0] != '[' && body[0] != '"' && shownByPowerShell.Match(body):
		return errors.New("what PowerShell shows of an object, and no JSON; save it with ConvertTo-Json -Depth 10")
	}
	return nil
}

func anotherXML(root string) error {
	switch root {
	case listRoot:
		return errors.New("a Job list, and no job's details" + mend)
	case loginRoot:
		return errors.New("the answer to a login, and no job's details" + mend)
	}
	return nil
}

// anotherAnswer says of an object without a job's details what it is; nil where that is not known.
func anotherAnswer(members map[string]jsontext.Value) error {
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
			return errors.New(known.is + ", and no job's details" + mend)
		}
	}
	return nil
}
