// Package page is the page that people look at, as files that the browser gets as they are: no step builds them. Its
// script and style come from here alone, and what a CommServe says gets into it as text.
//
// In vendor are files of others, which go generate fetches again as vendor/vendor.json says.
package page

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:generate go run -C ../../../tools ./vendornpm ../internal/web/page/vendor
//go:generate go run -C ../../../tools ./vendornpm ../internal/web/testdata/axe

//go:embed *.html *.css *.js *.svg vendor
var files embed.FS

// Handler serves the page at /, and what it consists of below /page/.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "start.html")
	})
	for _, name := range Names() {
		if name == "start.html" {
			continue
		}
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, name)
		})
	}
	return mux
}

// Names are the files that the page consists of, those of others included.
func Names() []string {
	var names []string
	for _, pattern := range []string{"*", "vendor/*"} {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			panic(err) // a pattern of ours
		}
		for _, name := range found {
			if info, err := fs.Stat(files, name); err == nil && !info.IsDir() {
				names = append(names, name)
			}
		}
	}
	return names
}
