package commvault

import (
	"bytes"
	"regexp"
	"slices"
)

// sections are the parts of a job's details, in the order in which the documentation prints them.
var sections = []string{"generalInfo", "progressInfo", "detailInfo", "clientStatusInfo", "vmStatus", "clientStatus"}

// mended gives a saved piece of an answer in XML the elements around it that it lost, and any other
// body as it is. The documentation prints its samples so: the first section is left open, and vmStatus
// stands by itself. An answer that a CommServe sends is never mended.
func mended(body []byte) []byte {
	piece := withoutDeclaration(bare(body))
	switch first := firstElement(piece); {
	case first == "job":
		return within(piece, detailsRoot)
	case first == "jobDetail":
		return within(piece, detailsRoot, "job")
	case slices.Contains(sections, first):
		return within(closeGeneral(gatherMachines(piece)), detailsRoot, "job", "jobDetail")
	}
	return body
}

func withoutDeclaration(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("<?xml")) {
		return body
	}
	_, rest, _ := bytes.Cut(body, []byte("?>"))
	return bytes.TrimSpace(rest)
}

// firstElement is the name of the element that the body begins with, "" where it begins with none.
func firstElement(body []byte) string {
	if len(body) == 0 || body[0] != '<' {
		return ""
	}
	name := body[1:]
	if end := bytes.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	return string(name)
}

// gatherMachines wraps all from the first vmStatus or clientStatus on.
func gatherMachines(piece []byte) []byte {
	at, clients := begins(piece, "vmStatus"), begins(piece, "clientStatus")
	if at < 0 || clients >= 0 && clients < at {
		at = clients
	}
	if at < 0 || begins(piece, "clientStatusInfo") >= 0 {
		return piece
	}
	return slices.Concat(piece[:at], within(piece[at:], "clientStatusInfo"))
}

var generalIsClosed = regexp.MustCompile(`</generalInfo|<generalInfo\b(?:[^"'>]|"[^"]*"|'[^']*')*/>`)

// closeGeneral closes an open generalInfo before the next section.
func closeGeneral(piece []byte) []byte {
	at := begins(piece, "generalInfo")
	if at < 0 || generalIsClosed.Match(piece) {
		return piece
	}
	end := len(piece)
	for _, name := range sections[1:] {
		if next := begins(piece[at:], name); next >= 0 {
			end = min(end, at+next)
		}
	}
	return slices.Concat(piece[:end], []byte("</generalInfo>"), piece[end:])
}

// begins is where the first element of the name begins, -1 where none does.
func begins(piece []byte, name string) int {
	for from := 0; ; {
		at := bytes.Index(piece[from:], []byte("<"+name))
		if at < 0 {
			return -1
		}
		if from += at; firstElement(piece[from:]) == name {
			return from
		}
		from++
	}
}

func within(piece []byte, names ...string) []byte {
	for _, name := range slices.Backward(names) {
		piece = slices.Concat([]byte("<"+name+">"), piece, []byte("</"+name+">"))
	}
	return piece
}
