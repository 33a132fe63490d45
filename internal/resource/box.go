package resource

import (
	"encoding/json"
	"fmt"
)

// Box carries a Resource, or none, through JSON.
type Box struct{ Resource Resource }

// MarshalJSON writes {"KIND": resource}, or null.
func (b Box) MarshalJSON() ([]byte, error) {
	if b.Resource == nil {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]Resource{b.Resource.ID().Kind(): b.Resource})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Box) UnmarshalJSON(data []byte) error {
	var one map[string]json.RawMessage
	if err := json.Unmarshal(data, &one); err != nil {
		return fmt.Errorf("reading a resource: %w", err)
	}
	b.Resource = nil
	for kind, raw := range one {
		resource, err := unmarshal(kind, raw)
		if err != nil {
			return fmt.Errorf("reading a resource of kind %q: %w", kind, err)
		}
		b.Resource = resource
	}
	return nil
}

func unmarshal(kind string, raw json.RawMessage) (Resource, error) {
	switch kind {
	case "key":
		return decode[Key](raw)
	case "file":
		return decode[File](raw)
	case "link":
		return decode[Link](raw)
	case "tree":
		return decode[Tree](raw)
	case "rules":
		return decode[Rules](raw)
	case "subid":
		return decode[SubIDs](raw)
	case "access":
		return decode[Access](raw)
	case "sysctl":
		return decode[Sysctl](raw)
	case "certificate":
		return decode[Certificate](raw)
	}
	return nil, fmt.Errorf("unknown kind")
}

// decode is generic because the kinds differ in nothing but their type.
func decode[T Resource](raw json.RawMessage) (Resource, error) {
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	return value, nil
}
