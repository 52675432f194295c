package debug

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"strings"
)

// The browser receives the page as one file; its source is the files of page/. The script of the
// page inserts everything that it shows from a Report as text, never as HTML.

var (
	//go:embed page
	sources embed.FS

	css = source("page.css")

	// js is one function: what a file declares, the others see.
	js = "\"use strict\";\n(() => {\n" +
		source("words.js", "verdict.js", "numbers.js", "map.js", "runs.js", "waits.js", "histograms.js", "page.js") +
		"})();\n"

	page = []byte(strings.NewReplacer("/* page.css */", css, "/* page.js */", js).Replace(source("page.html")))

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

// source returns the text of some files of the page.
func source(names ...string) (text string) {
	for _, name := range names {
		b, err := sources.ReadFile("page/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		text += string(b)
	}
	return text
}
