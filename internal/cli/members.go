package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// member is one line of what is shown of an object.
type member struct{ name, value string }

// members gives the members of a JSON object that have a plain value, in their order.
func members(object []byte) []member {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var all []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return all
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return all
		}
		switch value := value.(type) {
		case nil, []any:
		case map[string]any:
			text, _ := json.Marshal(value)
			all = append(all, member{fmt.Sprint(name), string(text)})
		default:
			all = append(all, member{fmt.Sprint(name), fmt.Sprint(value)})
		}
	}
	return all
}
