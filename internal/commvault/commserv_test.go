package commvault

import (
	"strings"
	"testing"
)

func TestDecodeGUID(t *testing.T) {
	for _, row := range []struct{ body, want, fails string }{
		{`{"hostName":"cs","commcell":{"commCellId":2,"csGUID":"7A1D-22"},"currentSPVersion":36}`, "7A1D-22", ""},
		{`{"releaseName":7,"commcell":{"csGUID":"7A1D-22"}}`, "7A1D-22", ""},
		{`<App_GetCommServPropertiesResponse hostName="cs"><commcell commCellId="2" csGUID="7A1D-22"/></App_GetCommServPropertiesResponse>`, "7A1D-22", ""},
		{`{"commcell":{"csGUID":""}}`, "", "names no GUID"},
		{`{}`, "", "names no GUID"},
		{`{"errorMessage":"Access denied","errorCode":5}`, "", "names no GUID"},
		{"{\"commcell\":{\"csGUID\":\"7A\xff\"}}", "", "names no GUID"},
		{`<html><title>Login</title></html>`, "", "a web page"},
		{``, "", "an empty answer"},
	} {
		got, err := decodeIdentity([]byte(row.body))
		if got.GUID != row.want || (err == nil) != (row.fails == "") || err != nil && !strings.Contains(err.Error(), row.fails) {
			t.Errorf("%s: got %+v, %v; want %q, %q", row.body, got, err, row.want, row.fails)
		}
	}
}
