package web

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Configuration is what is in force, as a file would have it.
type Configuration struct {
	File string    `json:"file"`
	Read time.Time `json:"read"` // when it was
	YAML string    `json:"yaml"` // every key with its default, no secret
}

func (s *Server) showConfig(w http.ResponseWriter, _ *http.Request) {
	if s.Configuration == nil {
		refuse(w, http.StatusNotFound, "this watcher has no configuration to show")
		return
	}
	answer(w, http.StatusOK, s.Configuration())
}

// build is what a program is built of.
type build struct {
	Version  string     `json:"version"`
	Commit   string     `json:"commit"` // "": the build does not say
	Time     *time.Time `json:"commitTime"`
	Modified bool       `json:"modified"` // by what is not in the commit
	Go       string     `json:"go"`
	Platform string     `json:"platform"`
	Modules  []module   `json:"modules"` // by path
}

type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

func (s *Server) showBuild(w http.ResponseWriter, _ *http.Request) {
	is := buildInfo()
	is.Version = s.Version
	answer(w, http.StatusOK, is)
}

var buildInfo = sync.OnceValue(func() build {
	info, known := debug.ReadBuildInfo()
	return buildOf(info, known)
})

func buildOf(info *debug.BuildInfo, known bool) build {
	is := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: []module{}}
	if !known {
		return is
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			is.Commit = setting.Value
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, setting.Value); err == nil {
				is.Time = new(at.UTC())
			}
		case "vcs.modified":
			is.Modified = setting.Value == "true"
		}
	}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		is.Modules = append(is.Modules, module{dep.Path, dep.Version})
	}
	return is
}
