package schema

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
)

// verifier checks a value. Its error is Proxmox's text, with the newline at its end.
type verifier func(value string) error

// refuse makes an error with the newline that Proxmox's texts end with.
func refuse(format string, args ...any) error { return fmt.Errorf(format+"\n", args...) }

// checkFormat holds a value against a named format of a release. A name that ends in -list takes any number of such values, one that
// ends in -opt takes an empty one too.
func checkFormat(format, path, value string, r Release) error {
	if p := namedProps()[format]; p != nil {
		_, err := p.parse(path, value)
		return err
	}
	name, list := strings.CutSuffix(format, "-list")
	name, opt := strings.CutSuffix(name, "-opt")
	verify := verifiers()[name]
	if name == "pve-priv" {
		verify = oneOf(Privileges(r), "invalid privilege '%s'")
	}
	switch {
	case verify == nil:
		panic("schema: no such format: " + format)
	case opt && value == "":
		return nil
	case !list:
		return verify(value)
	}
	for _, v := range SplitList(value) {
		if err := verify(v); err != nil {
			return err
		}
	}
	return nil
}

// propsOf returns the keys of a property string by the name of its format or option.
func propsOf(format string) *Props {
	p := namedProps()[strings.TrimRight(format, "0123456789")]
	if p == nil {
		panic("schema: no such property string: " + format)
	}
	return p
}

// namedProps are the property strings with a name: Proxmox's own, and ours for those that are named like their option.
var namedProps = sync.OnceValue(func() map[string]*Props {
	return map[string]*Props{
		"bwlimit":  bandwidthLine(),
		"dev":      deviceLine(),
		"features": featuresLine(),
		"mp":       mountLine(),
		"net":      netLine(),
		"rootfs":   rootfsLine(),
		"startup":  startupLine(),
		"unused":   unusedLine(),

		"backup-fleecing":    fleecingLine(),
		"backup-performance": performanceLine(),
		"prune-backups":      pruneLine(),
	}
})

// Parts of names.
const (
	label      = `[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`
	realm      = `[A-Za-z][A-Za-z0-9.\-_]+`
	user       = `[^\s:/]+@` + realm
	tokenSubID = realm
	plainName  = `[A-Za-z0-9.\-_]+`
	storageID  = `(?i:[a-z][a-z0-9\-_.]*[a-z0-9])`
)

// matches makes a verifier of a pattern for the whole value; a %s in the text becomes the value.
func matches(pattern, text string) verifier {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?:` + pattern + `)\n?\z`) })
	return func(value string) error {
		if re().MatchString(value) {
			return nil
		}
		return refuse("%s", strings.ReplaceAll(text, "%s", value))
	}
}

var verifiers = sync.OnceValue(func() map[string]verifier {
	all := map[string]verifier{}
	for _, group := range []map[string]verifier{names(), addresses(), texts()} {
		maps.Copy(all, group)
	}
	return all
})
