package policy

import (
	"fmt"
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// node is an evaluated expression whose parts still know their places.
type node struct {
	kind    kind
	at      hcl.Range
	text    string
	boolean bool
	number  *big.Float
	items   []node   // of a list
	members []member // of an object, in source order
}

// member is one key of an object and its value.
type member struct {
	key   node
	value node
}

// kind is the type of a node, in the words of a diagnostic.
type kind string

const (
	isNull   kind = "null"
	isString kind = "a string"
	isNumber kind = "a number"
	isBool   kind = "a boolean"
	isList   kind = "a list"
	isObject kind = "an object"
)

// evaluate computes an expression; each part of it is evaluated once. Lists and
// objects written out are taken apart before that, because their cty values would
// have lost the places and the duplicate keys.
func evaluate(expr hcl.Expression) (node, hcl.Diagnostics) {
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		return evaluateObject(expr.Range(), pairs)
	}
	if items, diags := hcl.ExprList(expr); !diags.HasErrors() {
		return evaluateList(expr.Range(), items)
	}
	return evaluateRest(expr)
}

// evaluateRest computes what is neither a list nor an object written out.
func evaluateRest(expr hcl.Expression) (node, hcl.Diagnostics) {
	if names := expr.Variables(); len(names) > 0 {
		return node{}, unknownNames(names)
	}
	val, diags := expr.Value(&hcl.EvalContext{})
	if diags.HasErrors() {
		return node{}, unknownFunctions(diags)
	}
	if !val.IsWhollyKnown() { // HCL says so with an error, as far as we know; reading it would panic
		return node{}, hcl.Diagnostics{invalid(fault{
			summary: "Unknown value",
			why:     "This expression does not come to a value.",
			hint:    "write the value itself",
		}, expr.Range())}
	}
	return nodeOf(val, expr.Range()), nil
}

func evaluateList(at hcl.Range, items []hcl.Expression) (node, hcl.Diagnostics) {
	list := node{kind: isList, at: at}
	var diags hcl.Diagnostics
	for _, item := range items {
		n, itemDiags := evaluate(item)
		diags = append(diags, itemDiags...)
		list.items = append(list.items, n)
	}
	return list, diags
}

func evaluateObject(at hcl.Range, pairs []hcl.KeyValuePair) (node, hcl.Diagnostics) {
	object := node{kind: isObject, at: at}
	var diags hcl.Diagnostics
	seen := map[string]hcl.Range{}
	for _, pair := range pairs {
		key, keyDiags := evaluate(pair.Key)
		value, valueDiags := evaluate(pair.Value)
		diags = append(append(diags, keyDiags...), valueDiags...)
		if first, duplicate := seen[key.text]; duplicate && key.kind == isString {
			diags = append(diags, invalid(fault{
				summary: "Duplicate key",
				why:     fmt.Sprintf("The key %q is already set at %s.", key.text, place(first)),
				hint:    "keep one of the two",
			}, key.at))
		}
		seen[key.text] = key.at
		object.members = append(object.members, member{key, value})
	}
	return object, diags
}

// nodeOf takes a known value apart that was computed, not written out: all its
// parts are at the same place.
func nodeOf(val cty.Value, at hcl.Range) node {
	n := node{at: at}
	switch ty := val.Type(); {
	case val.IsNull():
		n.kind = isNull
	case ty == cty.String:
		n.kind, n.text = isString, val.AsString()
	case ty == cty.Number:
		n.kind, n.number = isNumber, val.AsBigFloat()
	case ty == cty.Bool:
		n.kind, n.boolean = isBool, val.True()
	case ty.IsListType() || ty.IsTupleType() || ty.IsSetType():
		n.kind = isList
		for _, v := range val.Elements() {
			n.items = append(n.items, nodeOf(v, at))
		}
	default: // an object or a map: HCL has nothing else without functions
		n.kind = isObject
		for k, v := range val.Elements() {
			n.members = append(n.members, member{nodeOf(k, at), nodeOf(v, at)})
		}
	}
	return n
}

// unknownNames says that nothing defines the names in an expression, those in
// branches included that HCL would not take.
func unknownNames(names []hcl.Traversal) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range names {
		root := name.RootName()
		diags = append(diags, invalid(fault{
			summary: "Unknown variable",
			why:     fmt.Sprintf("A policy has no variables yet, so %s means nothing here.", root),
			hint:    fmt.Sprintf("a word is written in quotes: %q", root),
		}, name.SourceRange()))
	}
	return diags
}

// unknownFunctions puts molo's words in place of HCL's: HCL says that functions
// are not allowed here, an owner needs to know that there are none anywhere.
func unknownFunctions(diags hcl.Diagnostics) hcl.Diagnostics {
	for i, diag := range diags {
		if call, ok := diag.Expression.(*hclsyntax.FunctionCallExpr); ok {
			diags[i] = invalid(fault{
				summary: "Unknown function",
				why:     fmt.Sprintf("A policy has no functions yet, so %s() means nothing here.", call.Name),
				hint:    "write the value itself",
			}, call.Range())
		}
	}
	return diags
}
