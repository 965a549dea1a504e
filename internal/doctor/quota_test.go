package doctor

import (
	"net/http"
	"strconv"
)

// rationed has a CommServe name its quota with each answer, or refuse all but the login for it.
func rationed(serves http.Handler, code, limit int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(limit))
		w.Header().Set("X-RateLimit-Period", "3600")
		if code != http.StatusOK && r.URL.Path != "/webconsole/api/Login" {
			w.WriteHeader(code)
			return
		}
		serves.ServeHTTP(w, r)
	})
}
