package commvault

import (
	"context"
	"net/http"
)

// commServRoot is a guess: which root the answer has in XML is documented nowhere. With another one the answer counts
// as one that does not name it.
const commServRoot = "App_GetCommServPropertiesResponse"

type commServAnswer struct {
	Release  text                    `json:"releaseName"`
	CommCell section[commCellEntity] `json:"commcell"`
}

// Identity is what a CommServe says of itself.
type Identity struct {
	GUID    string
	Release string // "11.36"; "": it does not say
}

type commCellEntity struct {
	GUID text `json:"csGUID"`
}

// GUID asks which CommServe this is.
func (c *Client) GUID(ctx context.Context) (string, error) {
	is, err := c.Identity(ctx)
	return is.GUID, err
}

// Identity asks which CommServe this is (GET CommServ). It needs a right that JobDetails does not.
func (c *Client) Identity(ctx context.Context) (is Identity, err error) {
	q := query{operation: "CommServ", method: http.MethodGet, path: "/CommServ"}
	q.decode = func(body []byte) (err error) {
		is, err = decodeIdentity(body)
		return err
	}
	_, err = c.ask(ctx, q)
	return is, err
}

func decodeIdentity(body []byte) (Identity, error) {
	answer, err := parse[commServAnswer](body, commServRoot)
	if err != nil {
		return Identity{}, err
	}
	guid := answer.v.CommCell.v.GUID
	if guid.words == "" || guid.broken() {
		e := notAnAnswer("the answer names no GUID")
		r := remarksIn(body)
		e.Words = r.complaint()
		return Identity{}, e
	}
	is := Identity{GUID: guid.words}
	if release := answer.v.Release; !release.broken() {
		is.Release = oneLine(release.words)
	}
	return is, nil
}
