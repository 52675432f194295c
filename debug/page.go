package debug

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"strings"
)

// The page is one file for the browser, and three for whoever changes it. All that
// it shows comes with the Report, by its script, as text, never as HTML.

var (
	//go:embed page/page.html
	html string
	//go:embed page/page.css
	css string
	//go:embed page/page.js
	js string

	page = []byte(strings.NewReplacer("/* page.css */", css, "/* page.js */", js).Replace(html))

	// policy lets the page use its own style and script, and ask its own server;
	// nothing else, so what should get into it by mistake does nothing.
	policy = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"; style-src " + hash(css) + "; script-src " + hash(js)
)

// hash names an inline element in a Content-Security-Policy.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
