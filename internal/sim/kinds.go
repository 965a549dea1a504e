package sim

import (
	"net/http"
	"slices"
)

// FaultKind is something that goes wrong between a CommServe and its client.
type FaultKind string

// The faults. Each is explained in the list below.
const (
	ErrorFlat     FaultKind = "error-flat"
	ErrorNested   FaultKind = "error-nested"
	ErrorPage     FaultKind = "error-page"
	Unavailable   FaultKind = "unavailable"
	TooMany       FaultKind = "too-many-requests"
	LoginPage     FaultKind = "login-page"
	ErrorDocument FaultKind = "error-document"
	ErrorForeign  FaultKind = "error-foreign"
	AccessDenied  FaultKind = "access-denied"
	Empty         FaultKind = "empty"
	EmptyObject   FaultKind = "empty-object"
	Null          FaultKind = "null"
	CutShort      FaultKind = "cut-short"
	CutChunked    FaultKind = "cut-chunked"
	CutDocument   FaultKind = "cut-document"
	OtherJob      FaultKind = "other-job"
	UnknownJob    FaultKind = "unknown-job"
	Stale         FaultKind = "stale"
	ShortPage     FaultKind = "short-page"
	PageTotal     FaultKind = "page-total"
	BrokenReason  FaultKind = "broken-reason"
	BrokenState   FaultKind = "broken-state"
	Slow          FaultKind = "slow"
	Hang          FaultKind = "hang"
	Huge          FaultKind = "huge"
	GzipBomb      FaultKind = "gzip-bomb"
	Deep          FaultKind = "deep"
	Doctype       FaultKind = "doctype"
	Redirect      FaultKind = "redirect"
	TokenRevoked  FaultKind = "token-revoked"
	WrongPassword FaultKind = "wrong-password"
	AccountLocked FaultKind = "account-locked"
)

// trait is what is known of a kind of fault.
type trait struct {
	kind  FaultKind
	about string
	code  int // the HTTP status unless the fault says another; 0: it cannot
	ops   []Op
}

var (
	ofOneJob = []Op{OpJobDetails, OpSummary}
	ofLists  = []Op{OpList, OpJobs}
	ofLogin  = []Op{OpLogin}
	ofReads  = []Op{OpJobDetails, OpList, OpJobs, OpSummary, OpCommServ, OpEvents}
	ofTokens = []Op{OpLogout, OpJobDetails, OpList, OpJobs, OpSummary, OpCommServ, OpEvents}
)

var traits = []trait{
	{ErrorFlat, "HTTP 500, or code, with errorMessage and errorCode", http.StatusInternalServerError, nil},
	{ErrorNested, "HTTP 500, or code, with the same two within error", http.StatusInternalServerError, nil},
	{ErrorPage, "HTTP 502, or code, with a gateway's HTML page", http.StatusBadGateway, nil},
	{Unavailable, "HTTP 503, or code, with a Retry-After of delay", http.StatusServiceUnavailable, nil},
	{TooMany, "HTTP 429, or code, with a Retry-After of delay", http.StatusTooManyRequests, nil},
	{LoginPage, "HTTP 200 with an HTML login page", 0, nil},
	{ErrorDocument, "HTTP 200 with an error as the document", 0, nil},
	{ErrorForeign, "HTTP 200, or code, with an error as other operations and web servers tell it", http.StatusOK, ofReads},
	{AccessDenied, "HTTP 200, or code, with Access denied and errorCode 5", http.StatusOK, nil},
	{Empty, "HTTP 200 without a body", 0, nil},
	{EmptyObject, "HTTP 200 with {} or an empty root element", 0, nil},
	{Null, "HTTP 200 with null, or an empty root element", 0, nil},
	{CutShort, "a body that breaks off before its Content-Length", 0, nil},
	{CutChunked, "a chunked body that breaks off", 0, nil},
	{CutDocument, "half a document, in a body that HTTP finds whole", 0, nil},
	{OtherJob, "the answer for another job", 0, ofOneJob},
	{UnknownJob, "as if there were no such job", 0, ofOneJob},
	{Stale, "an answer from before the job's last step, or from delay ago", 0, ofOneJob},
	{ShortPage, "a page of the list that ends halfway, though there is more", 0, ofLists},
	{PageTotal, "a list whose total counts its page alone", 0, ofLists},
	{BrokenReason, "a Latin-1 byte in the reason", 0, ofOneJob},
	{BrokenState, "a Latin-1 byte in the state", 0, ofOneJob},
	{Slow, "the right answer, delay late", 0, nil},
	{Hang, "no answer until the client gives up", 0, nil},
	{Huge, "the right document, then white space beyond 16 MiB", 0, nil},
	{GzipBomb, "the same packed with gzip into some kilobytes", 0, nil},
	{Deep, "the right document, nested 10,000 deep somewhere", 0, nil},
	{Doctype, "XML whose DOCTYPE declares entities that grow to gigabytes", 0, nil},
	{Redirect, "HTTP 302, or code, to location, else to /commandcenter/api", http.StatusFound, nil},
	{TokenRevoked, "HTTP 401, and the token of a login is dead from now on", 0, ofTokens},
	{WrongPassword, "a login is refused and counts towards the lock-out", 0, ofLogin},
	{AccountLocked, "the account is locked from now on, for 15 minutes", 0, ofLogin},
}

// FaultKinds gives them all, the commonest first.
func FaultKinds() []FaultKind {
	kinds := make([]FaultKind, len(traits))
	for i := range traits {
		kinds[i] = traits[i].kind
	}
	return kinds
}

// About says in some words what a kind does; nothing if there is no such kind.
func (k FaultKind) About() string { return k.trait().about }

func (k FaultKind) trait() trait {
	if i := slices.IndexFunc(traits, func(t trait) bool { return t.kind == k }); i >= 0 {
		return traits[i]
	}
	return trait{}
}

// Befalls says whether a kind can happen to an operation.
func (k FaultKind) Befalls(op Op) bool {
	t := k.trait()
	return t.befalls(op)
}

// befalls says whether it can happen to an operation.
func (t *trait) befalls(op Op) bool { return t.ops == nil || slices.Contains(t.ops, op) }
