package debug

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"strings"
)

// The browser receives the page as one file; its source is three files. The script of the
// page inserts everything that it shows from a Report as text, never as HTML.

var (
	//go:embed page/page.html
	html string
	//go:embed page/page.css
	css string
	//go:embed page/page.js
	js string

	page = []byte(strings.NewReplacer("/* page.css */", css, "/* page.js */", js).Replace(html))

	// policy allows the page its own style and script, and requests to its own server.
	// It forbids everything else, so code that gets into the page by mistake has no
	// effect.
	policy = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"; style-src " + hash(css) + "; script-src " + hash(js)
)

// hash returns the name of an inline element in a Content-Security-Policy.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
