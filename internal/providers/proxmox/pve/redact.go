package pve

import (
	"errors"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// secretKeys are the parameters whose values must not come back in errors.
var secretKeys = [...]string{"password", "env"}

// redact takes secrets out of a text: the client's own, and those of a form.
func (c *Client) redact(text string, form url.Values) string {
	for _, secret := range c.secrets {
		text = hide(text, secret)
	}
	for _, key := range secretKeys {
		for _, value := range form[key] {
			text = hide(text, value)
			for pair := range strings.SplitSeq(value, "\x00") {
				if _, part, isPair := strings.Cut(pair, "="); isPair {
					text = hide(text, part)
				}
			}
		}
	}
	return text
}

// hide leaves very short values alone: they would tear words apart, and are no
// secrets.
func hide(text, secret string) string {
	if len(secret) < 5 {
		return text
	}
	return strings.ReplaceAll(text, secret, redacted)
}

// scrub returns err, or when its text holds a secret one without.
func (c *Client) scrub(err error, form url.Values) error {
	if text := c.redact(err.Error(), form); text != err.Error() {
		return errors.New(text)
	}
	return err
}

func (c *Client) scrubError(e *Error, form url.Values) {
	e.Message = c.redact(e.Message, form)
	for name, text := range e.Params {
		e.Params[name] = c.redact(text, form)
	}
}
