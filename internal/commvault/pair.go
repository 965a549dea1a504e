package commvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// pair is an access token and the refresh token that renews both, once: a refresh token that comes
// a second time ends the whole chain.
type pair struct {
	Access  string `json:"accessToken"`
	Refresh string `json:"refreshToken"`
}

// pairs is the way of a pair that is kept in two files.
type pairs struct {
	client  *Client
	files   pairFiles
	unsaved *exchange // renewed, and the disk would not take it
}

// next takes what stands in the file by now, and renews only what stands there still.
func (p *pairs) next(ctx context.Context, stale token) (token, error) {
	if p.unsaved == nil && !p.files.pending() {
		if held, err := p.files.read(); err != nil || held.Access != stale.text {
			return p.take(held, found, err)
		}
	}
	unlock, err := p.files.lock(ctx, 3*max(p.client.timeout, renewalTimeout)) // who holds it may wait for an answer
	if err != nil {
		return token{}, p.client.unfit(renewPair, err)
	}
	defer unlock()
	return p.alone(ctx, stale)
}

func (p *pairs) take(held pair, from origin, err error) (token, error) {
	if err != nil {
		return token{}, p.client.unfit(renewPair, err)
	}
	p.client.secrets.learn(held.Access, held.Refresh)
	return token{text: held.Access, origin: from}, nil
}

// alone is next while no other process renews the pair.
func (p *pairs) alone(ctx context.Context, stale token) (token, error) {
	if err := p.settle(); err != nil {
		return token{}, p.client.unfit(renewPair, err)
	}
	held, err := p.files.read()
	switch {
	case err != nil || held.Access != stale.text:
		return p.take(held, found, err)
	case stale.origin == fresh && !stale.proven:
		e := p.client.unfit(renewPair, errors.New("the access token is refused right after its renewal; is auth.scheme the right one?"))
		e.refusal = true
		return token{}, e
	}
	if err := p.files.prepare(); err != nil {
		return token{}, p.client.unfit(renewPair, err)
	}
	return p.exchange(ctx, held)
}

// exchange is not to be divided: whoever leaves the program meanwhile leaves the new pair behind.
func (p *pairs) exchange(ctx context.Context, held pair) (token, error) {
	undivided := p.client.session.undivided
	undivided <- struct{}{}
	defer func() { <-undivided }()
	next, err := p.renew(ctx, held)
	if err != nil {
		p.files.tidy()
		return token{}, err
	}
	p.unsaved = &exchange{Was: held, Is: next}
	return p.take(next, fresh, p.settle())
}

// settle brings to its end what was begun: by this process, or by one that died.
func (p *pairs) settle() error {
	if p.unsaved == nil {
		return p.files.settle()
	}
	if err := p.files.save(*p.unsaved); err != nil {
		return err
	}
	p.unsaved = nil
	return nil
}

func (p *pairs) given() string {
	held, _ := p.files.read() // next says what is wrong with them
	return held.Access + "\n" + held.Refresh
}

const (
	renewPair      = "RenewAccessToken"
	renewalTimeout = defaultTimeout // at least: an answer that is not waited for costs the pair
)

// renew asks for a new pair. From the moment that the request leaves the old one may be dead.
func (p *pairs) renew(ctx context.Context, held pair) (next pair, err error) {
	c := p.client
	c.secrets.learn(held.Access, held.Refresh)
	body, _ := json.Marshal(held) // of strings: cannot fail
	// No other format is documented for it.
	q := query{operation: renewPair, method: http.MethodPost, path: "/V4/AccessToken/Renew", body: body, json: true, once: true, patience: renewalTimeout}
	q.decode = func(body []byte) (err error) {
		next, err = decodePair(body)
		return err
	}
	_, err = c.send(ctx, q, token{text: held.Access})
	if err == nil {
		c.log.Info("renewed the access token", "commcell", c.commcell)
		return next, nil
	}
	var e *Error
	if errors.As(err, &e) && refusesLogin(e) {
		e.Kind, e.Err, e.refusal = Auth, nil, true
		e.subject = fmt.Sprintf("commcell %s: renewal of the access token refused", c.commcell)
		e.tail = "; make a new pair and put it into auth.access_token_file and auth.refresh_token_file"
	}
	return pair{}, err
}

// decodePair finds the pair at the top, or where some releases wrap it.
func decodePair(body []byte) (pair, error) {
	answer, err := parse[pairAnswer](body, "")
	if err != nil {
		return pair{}, err
	}
	for _, at := range []pairNode{answer.is.pairNode, answer.is.Info.is, answer.is.Data.is, answer.is.Response.is} {
		if at.Access.words != "" && at.Refresh.words != "" {
			return pair{at.Access.words, at.Refresh.words}, nil
		}
	}
	refused := &Error{Kind: Auth, Words: complaintOf(body)}
	if refused.Words == "" {
		refused.Words = "the answer holds no pair of tokens"
	}
	return pair{}, refused
}
