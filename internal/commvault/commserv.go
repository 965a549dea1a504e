package commvault

import (
	"context"
	"net/http"
)

// commServRoot is a guess: which root the answer has in XML is documented nowhere. With another one the answer counts
// as one that does not name it.
const commServRoot = "App_GetCommServPropertiesResponse"

type commServAnswer struct {
	CommCell section[commCellEntity] `json:"commcell"`
}

type commCellEntity struct {
	GUID text `json:"csGUID"`
}

// GUID asks which CommServe this is (GET CommServ). It needs a right that JobDetails does not.
func (c *Client) GUID(ctx context.Context) (string, error) {
	var guid string
	q := query{operation: "CommServ", method: http.MethodGet, path: "/CommServ"}
	q.decode = func(body []byte) (err error) {
		guid, err = decodeGUID(body)
		return err
	}
	_, err := c.ask(ctx, q)
	return guid, err
}

func decodeGUID(body []byte) (string, error) {
	answer, err := parse[commServAnswer](body, commServRoot)
	if err != nil {
		return "", err
	}
	guid := answer.v.CommCell.v.GUID
	if guid.words == "" || guid.broken() {
		e := notAnAnswer("the answer names no GUID")
		r := remarksIn(body)
		e.Words = r.complaint()
		return "", e
	}
	return guid.words, nil
}
