package pve

import "strings"

// Who returns the token, as user@realm!name, or the user that the client
// authenticates as. It tells no secret.
func (c *Client) Who() string {
	switch identity := c.identity.(type) {
	case token:
		id, _, _ := strings.Cut(string(identity), "=")
		return id
	case *ticket:
		return identity.username
	}
	return ""
}
