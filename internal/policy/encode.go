package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
)

// encode writes a node as compact JSON. Keys keep their order and integers their
// digits, so that what daemon.json gets is what the owner wrote.
func encode(out *bytes.Buffer, n node) *fault {
	switch n.kind {
	case isBool:
		fmt.Fprint(out, n.boolean)
		return nil
	case isString:
		return encodeText(out, n)
	case isNumber:
		return encodeNumber(out, n)
	case isList:
		return encodeList(out, n)
	case isObject:
		return encodeObject(out, n)
	}
	out.WriteString("null")
	return nil
}

func encodeText(out *bytes.Buffer, n node) *fault {
	if f := plain(n.text); f != nil {
		bad := f.in(n)
		return &bad
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(n.text); err != nil {
		return &fault{summary: "Invalid string", why: err.Error(), at: n.at}
	}
	out.Truncate(out.Len() - 1) // Encode ends with a line break
	return nil
}

// encodeNumber refuses what Go's decoder in dockerd could not hold: integers
// beyond 64 bits and fractions beyond a double.
func encodeNumber(out *bytes.Buffer, n node) *fault {
	f64, _ := n.number.Float64()
	_, signed := n.number.Int64()
	_, unsigned := n.number.Uint64()
	switch exact := signed == big.Exact || unsigned == big.Exact; {
	case n.number.IsInt() && exact:
		out.WriteString(n.number.Text('f', 0))
	case !n.number.IsInt() && f64 != 0 && !math.IsInf(f64, 0):
		out.WriteString(n.number.Text('g', -1))
	default:
		return &fault{summary: "Invalid number", why: "The number does not fit into 64 bits.", hint: "write a smaller one", at: n.at}
	}
	return nil
}

func encodeList(out *bytes.Buffer, n node) *fault {
	out.WriteByte('[')
	for i, item := range n.items {
		if i > 0 {
			out.WriteByte(',')
		}
		if f := encode(out, item); f != nil {
			return f
		}
	}
	out.WriteByte(']')
	return nil
}

// encodeObject leaves out members that are null: in a policy null means "as if not written".
func encodeObject(out *bytes.Buffer, n node) *fault {
	separator := "{"
	for _, m := range n.members {
		if m.value.kind == isNull {
			continue
		}
		if m.key.kind != isString {
			return &fault{summary: "Invalid key", why: fmt.Sprintf("This key is %s, but JSON has only strings for keys.", m.key.kind), hint: "write it in quotes", at: m.key.at}
		}
		out.WriteString(separator)
		separator = ","
		if f := encodeText(out, m.key); f != nil {
			return f
		}
		out.WriteByte(':')
		if f := encode(out, m.value); f != nil {
			return f
		}
	}
	if separator == "{" {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return nil
}
