package commvault

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// remarks is what an answer says beside what was asked for. CommServes, their web servers and what stands before them
// tell errors in more shapes than can be listed, so none is: all members are read, at any depth, and go by their names
// alone. An answer with what was asked for is not read so.
type remarks struct {
	words  []string // of members whose names promise an error's words, the innermost first
	others []string // of other members, and of objects whose code says that all is well
	listed bool     // some of the words stand in an errList
	code   *int64   // the first that is no success
	failed bool     // error: true, or success: false
	any    bool     // anything at all
}

// What a member's name promises. XML's text beside attributes is a member textMember.
var (
	wordsName   = regexp.MustCompile(errorName.String() + `|(?i)message|msg|reason|descr|^details?$|title|warn|^` + textMember + `$`)
	errorName   = regexp.MustCompile(`^(?i:err|fault|fail|exception|cause)|[a-z_-](Err|Fault|Fail|Exception|Cause)|[_-](err|fault|fail|cause)`)
	codeName    = regexp.MustCompile(`(?i)^(err(or)?|fault|result|return|exit|warning)?_?code$|^err(or)?(no|num|number)?$`)
	statusName  = regexp.MustCompile(`(?i)^(http)?_?status(_?code)?$`)
	successName = regexp.MustCompile(`(?i)^(is)?(success|successful|succeeded|ok)$`)
	secretName  = regexp.MustCompile(`(?i)token|passw|secret|cookie|session|auth|cred|key`)
	tokenText   = regexp.MustCompile(`^(QSDK|SAML|Bearer|Basic) `)
)

// aside are members without an error's words: how the request was carried out, beside any answer, and what is told of
// a job. The latter show that something was said.
var aside = map[string]bool{
	"processinginstructioninfo": false,
	"generalInfo":               true, "progressInfo": true, "detailInfo": true, "clientStatusInfo": true, "attemptsInfo": true, "jobSummary": true,
}

const (
	maxRemarks      = 16       // texts kept; an error of more than a line is read by nobody
	maxRemarksBytes = 64 << 10 // of all of them; secrets are taken out later, and the line is cut then
)

// unread is what cannot be read: not nothing.
var unread = remarks{any: true}

// remarksIn reads an answer that parse has read, in the format that it came in.
func remarksIn(body []byte) remarks {
	body = trim(body)
	if len(body) > 0 && body[0] == '<' {
		content, root, err := fromXML(body)
		if err != nil {
			return unread
		}
		return remarksInJSON(content, root)
	}
	return remarksInJSON(normalizeJSON(body), "")
}

// remarksInJSON reads JSON, which may have been XML with a root of a name.
func remarksInJSON(body []byte, root string) remarks {
	var r remarks
	dec := jsontext.NewDecoder(bytes.NewReader(body), tolerant)
	if kind := dec.PeekKind(); kind != '{' && kind != '[' {
		root = textMember
	}
	if r.read(dec, root, false) != nil {
		return unread // no JSON, which is for parse to say
	}
	return r
}

func (r *remarks) read(dec *jsontext.Decoder, name string, inErrList bool) error {
	switch dec.PeekKind() {
	case '{':
		return r.readObject(dec, name, inErrList || name == "errList")
	case '[':
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		for dec.PeekKind() != ']' {
			if err := r.read(dec, name, inErrList); err != nil {
				return err
			}
		}
		_, err := dec.ReadToken()
		return err
	}
	value, err := dec.ReadValue()
	if err == nil {
		var one remarks
		one.note(name, value, wordsName.MatchString(name))
		r.add(&one, inErrList)
	}
	return err
}

// readObject adds what an object says after what those in it say: they are more precise.
func (r *remarks) readObject(dec *jsontext.Decoder, name string, inErrList bool) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var own remarks
	isSuccess, promising := false, wordsName.MatchString(name)
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		member, kind := token.String(), dec.PeekKind()
		told, isAside := aside[member]
		switch {
		case isAside && (kind == '{' || kind == '['):
			r.any = r.any || told
			err = dec.SkipValue()
		case kind == '{' || kind == '[':
			err = r.read(dec, member, inErrList)
		default:
			var value jsontext.Value
			if value, err = dec.ReadValue(); err == nil {
				isSuccess = own.note(member, value, wordsName.MatchString(member) || promising && !secretName.MatchString(member)) || isSuccess
			}
		}
		if err != nil {
			return err
		}
	}
	if isSuccess && own.code == nil && !own.failed {
		own.others, own.words = append(own.words, own.others...), nil
	}
	r.add(&own, inErrList)
	_, err := dec.ReadToken()
	return err
}

func (r *remarks) add(own *remarks, inErrList bool) {
	for _, words := range own.words {
		keep(&r.words, words)
		r.listed = r.listed || inErrList
	}
	for _, words := range own.others {
		keep(&r.others, words)
	}
	if r.code == nil {
		r.code = own.code
	}
	r.failed = r.failed || own.failed
	r.any = r.any || own.any
}

// keep adds words that are new, as long as there is room.
func keep(all *[]string, words string) {
	size := len(words)
	for _, one := range *all {
		if one == words {
			return
		}
		size += len(one)
	}
	if len(*all) == 0 || len(*all) < maxRemarks && size <= maxRemarksBytes {
		*all = append(*all, words)
	}
}

// note takes a value that is neither object nor array. It says whether that is the code of a success. Numbers and
// booleans may come as texts.
func (r *remarks) note(name string, value jsontext.Value, promising bool) (isSuccess bool) {
	text := string(value)
	if value.Kind() == '"' {
		text = strings.TrimSpace(unquote(value))
	}
	number, isNumber := parseInteger([]byte(text))
	switch {
	case text == "" || text == "null" || isNumber && number == notApplicable:
		return false
	case isNumber:
		return r.noteNumber(name, number)
	case strings.EqualFold(text, "true"):
		r.any = true
		r.failed = r.failed || errorName.MatchString(name)
	case strings.EqualFold(text, "false"):
		r.failed = r.failed || successName.MatchString(name)
		r.any = r.any || !errorName.MatchString(name)
	default:
		r.noteWords(name, text, promising)
	}
	return false
}

// Successes carry an error object too: with code 0, or 200. A status is one of HTTP, or says nothing.
func (r *remarks) noteNumber(name string, number int64) (isSuccess bool) {
	isCode := codeName.MatchString(name)
	if number == 0 || isCode && number == http.StatusOK {
		return isCode
	}
	r.any = true
	if r.code == nil && (isCode || statusName.MatchString(name) && number >= http.StatusBadRequest) {
		r.code = &number
	}
	return false
}

func (r *remarks) noteWords(name, words string, promising bool) {
	r.any = true
	words = words[:min(len(words), maxRemarksBytes)]
	switch {
	case promising:
		keep(&r.words, words)
	case !secretName.MatchString(name) && !tokenText.MatchString(words):
		keep(&r.others, words)
	}
}

// complains says whether there is an error among them.
func (r *remarks) complains() bool { return len(r.words) > 0 || r.code != nil || r.failed }

// complaint gives the words of the error, or its code; "" where there is none.
func (r *remarks) complaint() string {
	switch {
	case len(r.words) > 0:
		return inOneLine(r.words)
	case r.code != nil:
		return "error " + strconv.FormatInt(*r.code, 10)
	}
	return ""
}

func complaintOf(body []byte) string {
	r := remarksIn(body)
	return r.complaint()
}

// all gives whatever words there are.
func (r *remarks) all() string {
	if len(r.words) > 0 || len(r.others) == 0 {
		return r.complaint()
	}
	return inOneLine(append([]string{r.complaint()}, r.others...))
}

func inOneLine(texts []string) string {
	var line strings.Builder
	for _, text := range texts {
		if said := line.String(); strings.HasSuffix(said, ".") || strings.HasSuffix(said, "!") || strings.HasSuffix(said, ":") {
			line.WriteByte(' ')
		} else if said != "" {
			line.WriteString("; ")
		}
		line.WriteString(text)
	}
	return line.String()
}

// instead is the error of an answer that is not what was asked for.
func (r *remarks) instead(of string) *Error {
	e := notAnAnswer("an answer that is neither %s nor a known error", of)
	if r.complains() {
		e.Err = fmt.Errorf("an error instead of %s", of)
	}
	e.Words = r.all()
	return e
}

func noObject(body []byte) *Error {
	e := notAnAnswer("JSON that is no object")
	r := remarksIn(body)
	e.Words = r.all()
	return e
}

// prose gives a body that is neither JSON nor XML but words, "" where it is none.
func prose(body []byte) string {
	first, _ := utf8.DecodeRune(body)
	if !unicode.IsLetter(first) || bytes.ContainsAny(body, "{}[]<>") || !utf8.Valid(body) {
		return ""
	}
	if bytes.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
		return ""
	}
	return string(body[:min(len(body), maxRemarksBytes)])
}

// The words in which a CommServe says that there is no such job: "Job [71] does not exist.", "No job has this id.". In
// another language they are an error as any other: it is reported, and no job is given up as lost. What goes on
// after the word job tells a job from a job manager.
var (
	aJob      = `\bjob(?:\s*(?:id|details?))?(?:\s+with\s+(?:the\s+|this\s+)?id)?[^a-z]*`
	isGone    = `(?:(?:is|was|has|does|did|could|can)\s*)?(?:not|n['’]t|no longer)\s+(?:be\s+|been\s+|a\s+)?(?:exists?|found|known|valid)\b`
	isUnknown = `(?:is|was)\s+(?:unknown|invalid)\b`
	none      = `(?:\b(?:no|no such|unknown|invalid)|(?:not|n['’]t|unable to|failed to)\s+find)\s+(?:the\s+|a\s+|any\s+)?job(?:\s*id)?`
	thatIsAll = `(?:[^a-z]*$|\W*[\d.,;:\[(]|\s+(?:has|with|was|is|found|exists)\b)`
	noSuchJob = regexp.MustCompile(`(?i)` + aJob + `(?:` + isGone + `|` + isUnknown + `)|` + none + thatIsAll)
)

// SaysNoSuchJob says whether words are those in which a CommServe says so.
func SaysNoSuchJob(words string) bool { return noSuchJob.MatchString(words) }

// refusesJob says whether a job is refused in the way that is known of JobDetails, an errList, and in words that say
// why: there is no such job.
func (r *remarks) refusesJob() bool {
	return r.listed && !slices.ContainsFunc(r.words, func(words string) bool { return !SaysNoSuchJob(words) })
}

// noJob tells an answer that knows no such job from anything else that came without one. Only the former may lead to
// the job being given up as lost: nothing at all, or a refusal in words that say so.
func (r *remarks) noJob() error {
	if r.any && !r.refusesJob() {
		return r.instead("a job")
	}
	return &Error{Kind: UnknownJob, Words: r.complaint(), Err: ErrUnknownJob}
}
