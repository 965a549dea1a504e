package commvault

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
)

// format is what requests are written in. Answers are read as they come.
type format bool

const (
	inJSON format = false
	inXML  format = true
)

func formatNamed(name string) (format, error) {
	switch name {
	case "", "json":
		return inJSON, nil
	case "xml":
		return inXML, nil
	}
	return inJSON, fmt.Errorf("format is %q; write json or xml", name)
}

func (f format) mediaType() string {
	if f == inXML {
		return "application/xml"
	}
	return "application/json"
}

// details is what POST JobDetails takes. The CommCell is named only where it is configured, and attempts are
// left out where the server refuses to send them: old releases do not know these members.
func (f format) details(number, commcell int64, attempts bool) []byte {
	if f == inXML {
		body := fmt.Appendf(nil, `<JobManager_JobDetailRequest jobId="%d"`, number)
		if attempts {
			body = append(body, ` showAttempt="1"`...)
		}
		body = append(body, '>')
		if commcell > 0 {
			body = fmt.Appendf(body, `<commcell commCellId="%d"/>`, commcell)
		}
		return append(body, `</JobManager_JobDetailRequest>`...)
	}
	body := fmt.Appendf(nil, `{"jobId":%d`, number)
	if commcell > 0 {
		body = fmt.Appendf(body, `,"commcell":{"commCellId":%d}`, commcell)
	}
	if attempts {
		body = append(body, `,"showAttempt":true`...)
	}
	return append(body, '}')
}

// renewLogin is what POST RenewLoginToken takes.
func (f format) renewLogin(token string) []byte {
	what := struct {
		XMLName   xml.Name `json:"-" xml:"DM2ContentIndexing_RenewLoginTokenReq"` // see renewRoot
		SessionID string   `json:"sessionId" xml:"sessionId,attr"`
	}{SessionID: token}
	body, _ := f.marshal(what) // of strings: cannot fail
	return body
}

type credentials struct {
	XMLName  xml.Name `json:"-" xml:"DM2ContentIndexing_CheckCredentialReq"`
	Mode     string   `json:"-" xml:"mode,attr"`
	Username string   `json:"username" xml:"username,attr"`
	Password string   `json:"password" xml:"password,attr"`
	Domain   string   `json:"domain,omitempty" xml:"domain,attr,omitempty"`
}

// login is what POST Login takes; base64 is Commvault's wish, and no protection.
func (f format) login(config Config) []byte {
	who := credentials{
		Mode: "Webconsole", Username: config.Username, Domain: config.Domain,
		Password: base64.StdEncoding.EncodeToString([]byte(config.Password)),
	}
	body, _ := f.marshal(who) // of strings: cannot fail
	return body
}

func (f format) marshal(what any) ([]byte, error) {
	if f == inXML {
		return xml.Marshal(what)
	}
	return json.Marshal(what)
}
