package pvesim

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeForm decodes parameters as Proxmox's server does, which is not how others do: a raw semicolon separates too, what
// stands behind a second raw "=" is lost, a broken percent sign stays, and what is no UTF-8 becomes U+FFFD. A key given
// more than once has all its values.
func decodeForm(text string, into map[string]any) {
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == '&' || r == ';' }) {
		parts := strings.Split(pair, "=")
		name, value := unescape(parts[0]), ""
		if len(parts) > 1 {
			value = unescape(parts[1])
		}
		switch earlier := into[name].(type) {
		case nil:
			into[name] = value
		case []any:
			into[name] = append(earlier, value)
		default:
			into[name] = []any{earlier, value}
		}
	}
}

func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '+':
			b.WriteByte(' ')
		case text[i] == '%' && i+2 < len(text) && isHex(text[i+1:i+3]):
			n, _ := strconv.ParseUint(text[i+1:i+3], 16, 8) // isHex
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(text[i])
		}
	}
	if utf8.ValidString(b.String()) {
		return b.String()
	}
	return strings.ToValidUTF8(replaceBroken(b.String()), "\uFFFD")
}

// replaceBroken replaces each byte that is no UTF-8 by itself, where strings.ToValidUTF8 takes a run of them as one.
func replaceBroken(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteRune(r)
	}
	return b.String()
}

func isHex(digits string) bool {
	_, err := strconv.ParseUint(digits, 16, 8)
	return err == nil && digits[0] != '+' && digits[0] != '-' && !strings.Contains(digits, "_")
}
