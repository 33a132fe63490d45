package policy

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The bounds of a source. HCL's parsers recurse without any, and 100 KB of open
// brackets overflow the stack, which no recover catches. Bounds on what nests are
// enough for that; those on the rest keep the time in bounds too.
const (
	maxSource    = 1 << 20 // bytes
	maxNesting   = 100     // brackets and templates open at a time
	maxOperators = 1000    // in a whole file: signs and conditions nest without brackets
	maxLiteral   = 1 << 13 // bytes of one string: in JSON it is parsed once more as a template
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
	operators, literal := 0, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOBrace:
			open = append(open, hclsyntax.TokenCBrace)
		case hclsyntax.TokenOBrack:
			open = append(open, hclsyntax.TokenCBrack)
		case hclsyntax.TokenOParen:
			open = append(open, hclsyntax.TokenCParen)
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, hclsyntax.TokenTemplateSeqEnd)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			if last := len(open) - 1; last >= 0 && open[last] == token.Type {
				open = open[:last]
			}
		case hclsyntax.TokenMinus, hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenDoubleColon:
			operators++
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			literal += len(token.Bytes)
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			literal = 0
		}
		switch {
		case len(open) > maxNesting:
			return beyond(fmt.Sprintf("More than %d brackets are open here.", maxNesting), token.Range)
		case operators > maxOperators:
			return beyond(fmt.Sprintf("It has more than %d operators.", maxOperators), token.Range)
		case literal > maxLiteral:
			return beyond(fmt.Sprintf("This string has more than %d bytes.", maxLiteral), token.Range)
		}
	}
	return nil
}

func beyond(why string, at hcl.Range) *hcl.Diagnostic {
	return invalid(fault{summary: "File out of bounds", why: why, hint: "split it, or mend what made it"}, at)
}
