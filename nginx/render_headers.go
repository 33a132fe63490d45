package nginx

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/policy"
)

// headerData is one header of a server or a location. An empty value is not sent.
type headerData struct{ Name, Value token }

// headerMap makes a variable that is the value of a header where the application
// sends none, and empty where it does.
type headerMap struct{ Name, Upstream, Variable, Value token }

// strictTransport is the header that makes browsers insist on TLS.
const strictTransport = "Strict-Transport-Security"

// overTLS reports whether a header may only be sent over TLS (RFC 6797, 7.2).
func overTLS(name string) bool { return strings.EqualFold(name, strictTransport) }

// headers returns the complete set of a route. One that the server around it sends
// and the route does not is in it with an empty value: a set that is not complete
// could be taken for one that was forgotten.
func (w *siteWriter) headers(route *policy.Route) []headerData {
	var out []headerData
	for i, h := range route.Headers {
		switch {
		case overTLS(h.Name):
		case h.Value.V != "":
			out = append(out, headerData{w.headerName(h), w.headerValue(route, i)})
		case sends(&w.site.Root, h.Name):
			out = append(out, headerData{w.headerName(h), w.sheet.take(token{text: `""`})})
		}
	}
	if w.secure {
		out = append(out, w.secureHeaders()...)
	}
	return out
}

// sends reports whether a route sends a header.
func sends(route *policy.Route, name string) bool {
	return slices.ContainsFunc(route.Headers, func(h policy.Header) bool { return h.Name == name && h.Value.V != "" })
}

func (w *siteWriter) headerName(h policy.Header) token {
	return put(w.sheet, policy.Value[string]{V: h.Name, Range: h.Value.Range}, fieldName)
}

// headerValue returns the value of the i-th header of a route, or the variable
// that holds it where the application sends none.
func (w *siteWriter) headerValue(route *policy.Route, i int) token {
	h := route.Headers[i]
	value := put(w.sheet, h.Value, fieldValue)
	if !h.UpstreamWins {
		return value
	}
	owner := route.Path.V
	if root := w.site.Root.Headers; i < len(root) && root[i].Name == h.Name && root[i].UpstreamWins && root[i].Value.V == h.Value.V {
		owner = w.site.Root.Path.V
	}
	variable := bare(fmt.Sprintf("$molo_%s_h%d", w.id(owner).text, i))
	for _, m := range w.data.HeaderMaps {
		if m.Variable.text == variable.text {
			return m.Variable
		}
	}
	m := headerMap{Name: w.headerName(h), Variable: w.sheet.take(variable), Value: value}
	m.Upstream = put(w.sheet, policy.Value[string]{V: h.Name, Range: h.Value.Range}, upstreamVariable)
	w.data.HeaderMaps = append(w.data.HeaderMaps, m)
	return m.Variable
}

// upstreamVariable returns the variable that holds an application's header.
func upstreamVariable(name string) (token, error) {
	if _, err := fieldName(name); err != nil {
		return token{}, err
	}
	return bare("$upstream_http_" + strings.ReplaceAll(strings.ToLower(name), "-", "_")), nil
}

// hidden returns the names of the application's headers that are not passed on,
// because molo's take their place. The promise of TLS is not the application's to
// make either, over plain HTTP or for names beside its own.
func (w *siteWriter) hidden(route *policy.Route) []token {
	var out []token
	if w.site.HSTS.MaxAge.V >= 0 {
		out = append(out, w.sheet.take(bare(strictTransport)))
	}
	for _, h := range route.Headers {
		if h.Value.V != "" && !h.UpstreamWins && !overTLS(h.Name) {
			out = append(out, w.headerName(h))
		}
	}
	return out
}
