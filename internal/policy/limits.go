package policy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The bounds of a source. HCL's parsers recurse without any, and 100 KB of open
// brackets overflow the stack, which no recover catches; a number such as 9e99999999
// takes hours to print. A policy comes nowhere near.
const (
	maxSource    = 1 << 20 // bytes
	maxNesting   = 100     // brackets and templates open at a time
	maxOperators = 1000    // in a whole file: they nest, and multiply, without brackets
	maxNumber    = 64      // bytes of a number
	maxExponent  = 3       // digits
)

// oversized reports a source that is beyond the bounds, else nil.
func oversized(source Source) *hcl.Diagnostic {
	if len(source.Data) > maxSource {
		return beyond(fmt.Sprintf("It has more than %d bytes.", maxSource), start(source.Name))
	}
	// HCL's scanner reads JSON as well, templates inside strings included. Its
	// diagnostics come again, and better, from the parser.
	tokens, _ := hclsyntax.LexConfig(source.Data, source.Name, hcl.InitialPos)
	var open []hclsyntax.TokenType // the brackets that would close what is open
	operators := 0
	for _, token := range tokens {
		if closer, opens := brackets(token.Type); opens {
			open = append(open, closer)
		}
		if last := len(open) - 1; last >= 0 && open[last] == token.Type {
			open = open[:last]
		}
		if operator(token.Type) {
			operators++
		}
		switch {
		case len(open) > maxNesting:
			return beyond(fmt.Sprintf("More than %d brackets are open here.", maxNesting), token.Range)
		case operators > maxOperators:
			return beyond(fmt.Sprintf("It has more than %d operators.", maxOperators), token.Range)
		case token.Type == hclsyntax.TokenNumberLit && huge(token.Bytes):
			return beyond(fmt.Sprintf("The number has more than %d digits, or an exponent of more than %d.", maxNumber, maxExponent), token.Range)
		case token.Type == hclsyntax.TokenQuotedLit && strings.HasSuffix(source.Name, ".json") && hidden(token.Bytes):
			return beyond("The string spells a template with escapes, where these bounds would not see it.", token.Range)
		}
	}
	return nil
}

// brackets returns what closes a token, if it opens something.
func brackets(t hclsyntax.TokenType) (closer hclsyntax.TokenType, opens bool) {
	switch t {
	case hclsyntax.TokenOBrace:
		return hclsyntax.TokenCBrace, true
	case hclsyntax.TokenOBrack:
		return hclsyntax.TokenCBrack, true
	case hclsyntax.TokenOParen:
		return hclsyntax.TokenCParen, true
	case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return hclsyntax.TokenTemplateSeqEnd, true
	}
	return hclsyntax.TokenNil, false
}

// operator reports a token that makes an expression of one or two others.
func operator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenMinus, hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenDoubleColon,
		hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent:
		return true
	}
	return false
}

// huge reports a number literal that is long, or short for a long number.
func huge(literal []byte) bool {
	_, exponent, _ := bytes.Cut(bytes.ToLower(literal), []byte("e"))
	return len(literal) > maxNumber || len(bytes.TrimLeft(exponent, "+-")) > maxExponent
}

// hidden reports a JSON string in which $, % or { is written as an escape, which
// nothing but a template that hides has a reason for.
func hidden(literal []byte) bool {
	lower := strings.ToLower(string(literal))
	return strings.Contains(lower, `\u0024`) || strings.Contains(lower, `\u0025`) || strings.Contains(lower, `\u007b`)
}

func beyond(why string, at hcl.Range) *hcl.Diagnostic {
	return invalid(fault{summary: "File out of bounds", why: why, hint: "split it, or mend what made it"}, at)
}
