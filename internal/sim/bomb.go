package sim

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"sync"
)

const (
	bombSize  = 17 << 20 // above the 16 MiB that a careful client reads
	bombDepth = 10_000
)

// spaces follow a document without harm to it: only a limit can refuse them.
var spaces = sync.OnceValue(func() []byte { return bytes.Repeat([]byte(" "), bombSize) })

// packedSpaces are the same as a member of a gzip file of several.
var packedSpaces = sync.OnceValue(func() []byte { return pack(spaces()) })

func pack(plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(plain) // a Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// spoil makes of a whole document what a fault wants of it.
func (s *strike) spoil(req *request, a *answer) {
	if s == nil {
		return
	}
	switch s.Kind {
	case CutDocument:
		a.body = a.body[:s.dice%uint64(max(1, len(a.body)))]
	case Huge:
		a.body = append(a.body, spaces()...)
	case GzipBomb:
		a.body = append(pack(a.body), packedSpaces()...)
		a.header = map[string]string{"Content-Encoding": "gzip"}
	case Deep:
		a.body = deep(a.body, req.xml)
	default: // the others spoil something else
	}
}

// deep nests far down in one more member of the document.
func deep(body []byte, isXML bool) []byte {
	if isXML {
		nest := strings.Repeat("<a>", bombDepth) + strings.Repeat("</a>", bombDepth)
		return fmt.Appendf(nil, "%s<deep>%s%s</deep>", xmlProlog, bytes.TrimPrefix(body, []byte(xmlProlog)), nest)
	}
	nest := strings.Repeat("[", bombDepth) + strings.Repeat("]", bombDepth)
	if !bytes.HasSuffix(body, []byte("}")) || len(body) < 3 {
		return []byte(nest)
	}
	return fmt.Appendf(nil, `%s,"deep":%s}`, body[:len(body)-1], nest)
}

// entityBomb would grow to some gigabytes in a parser that follows its entities.
var entityBomb = func() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE bomb [\n<!ENTITY a0 \"aaaaaaaaaa\">\n")
	for i := range 9 {
		fmt.Fprintf(&b, "<!ENTITY a%d \"%s\">\n", i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]>\n<JobManager_JobDetailResponse><job><jobDetail><progressInfo state=\"&a9;\"/></jobDetail></job></JobManager_JobDetailResponse>\n")
	return b.String()
}()
