package web

import (
	"embed"
	"net/http"
)

//go:embed page
var files embed.FS

// page serves the files of the page. Its script and style come from here alone, and what the
// CommServe says gets into it as text.
func page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "page/start.html")
	})
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "page/"+name)
		})
	}
	return mux
}
