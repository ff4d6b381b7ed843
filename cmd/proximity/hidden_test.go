package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// hidden requires that a text is in no file; negated, that it is in each.
func hidden(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: hidden VALUE file...")
	}
	secret := ts.ReadFile(args[0])
	if len(secret) < 6 {
		ts.Fatalf("%q is too short to be looked for", secret)
	}
	for _, name := range args[1:] {
		if form := formIn(ts.ReadFile(name), secret); (form != "") != neg {
			ts.Fatalf("%s: found %q of the secret", name, form)
		}
	}
}

// formIn returns a form of the secret that a text holds, or "".
func formIn(text, secret string) string {
	for _, form := range forms(secret) {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

// forms are the secret as it is, and as JSON, URLs, hexadecimal digits and Base64
// write it: that looks different by where in a text the secret begins.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // text can always be written
	all := []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret))}
	for before := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
			from := (before*8 + 5) / 6 // digits that depend on what stands before
			to := (before + len(secret)) * 8 / 6
			all = append(all, text[from:to])
		}
	}
	return all
}

func TestAHiddenTextIsFoundInEveryForm(t *testing.T) {
	const secret = "hunter2 & co"
	for _, before := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, after := range []string{"", "z", "zy"} {
			text := before + secret + after
			quoted, err := json.Marshal(text)
			require.NoError(t, err)
			for _, written := range []string{text, string(quoted), url.QueryEscape(text), url.PathEscape(text), hex.EncodeToString([]byte(text)),
				base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text))} {
				require.NotEmpty(t, formIn(written, secret), written)
			}
		}
	}
	require.Empty(t, formIn("hunter1 & co", secret))
}
