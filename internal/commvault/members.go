package commvault

import (
	"bytes"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// decodable is what every member of the shapes in wire.go is: it reads what stands there, whatever that is.
type decodable interface {
	UnmarshalJSONFrom(dec *jsontext.Decoder) error
}

// readObject reads an object into a shape. The library would do it too, and ask each member anew how it wants to be
// read: a quarter more of the time that decoding takes, which is most of what a poll costs us.
func readObject(dec *jsontext.Decoder, shape any) error {
	into := reflect.ValueOf(shape).Elem()
	fields := fieldsOf(into.Type())
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if field, known := fields[string(withoutQuotes(name))]; known { // a conversion that takes no memory
			err = into.FieldByIndex(field).Addr().Interface().(decodable).UnmarshalJSONFrom(dec)
		} else {
			err = dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

var shapes sync.Map // reflect.Type => map[string][]int, the fields by the names in their tags

func fieldsOf(shape reflect.Type) map[string][]int {
	if fields, made := shapes.Load(shape); made {
		return fields.(map[string][]int)
	}
	fields := map[string][]int{}
	for _, field := range reflect.VisibleFields(shape) {
		if name := field.Tag.Get("json"); name != "" {
			fields[name] = field.Index
		}
	}
	shapes.Store(shape, fields)
	return fields
}

func withoutQuotes(name jsontext.Value) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name[1 : len(name)-1]
	}
	plain, _ := jsontext.AppendUnquote(nil, name)
	return plain
}
