package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Host is how to reach a Proxmox cluster or node, and what its apps get when
// they do not say otherwise. Text that the configuration does not say is
// empty.
type Host struct {
	Name        string
	Endpoints   []string // "https://…" or "sim:…"; at least one
	TokenID     string
	TokenSecret Secret
	Username    string
	Password    Secret
	Fingerprint string // SHA-256 of the certificate
	CAFile      string
	Insecure    bool
	Range       resource.IDRange
	Defaults    map[string]cty.Value // by the names that kinds give in HostDefault
	Limits      Limits
	SSH         *SSH // nil: not configured
	Source      hcl.Range
}

// Limits bound how much is done at once. Zero is no bound.
type Limits struct{ Parallel, PerNode, PerStorage int }

// SSH is how to log in to nodes, for what the API cannot do.
type SSH struct {
	User    string
	KeyFile string
	Port    int // 0: 22
}

// Secret is text that no format shows. The zero Secret is none.
type Secret struct{ text string }

// Reveal returns the text, for the one place that sends it.
func (s Secret) Reveal() string { return s.text }

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.text == "" }

// String, GoString and MarshalJSON tell only whether there is a secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "(sensitive)"
}

// GoString is String, quoted.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalJSON is String as JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(s.String())), nil }

type hostBlock struct {
	name   string
	at     hcl.Range
	source *hcl.Block
	schema *resource.Block
	body   *body
	host   *Host
}

// VMIDs are taken from here unless a host says otherwise. Below 2000 people
// number by hand.
const firstID, lastID = 2000, 9999

// hostSchema is what a host block may hold. Its defaults are what the kinds
// ask a host for.
func (w *world) hostSchema() *resource.Block {
	text, number := &resource.Attr{Type: cty.String}, &resource.Attr{Type: cty.Number, Check: wholeFrom(1)}
	secret := &resource.Attr{Type: cty.String, Sensitive: true}
	defaults := map[string]*resource.Attr{}
	for _, name := range slices.Sorted(maps.Keys(w.o.Kinds)) {
		collectDefaults(&w.o.Kinds[name].Schema, defaults)
	}
	return &resource.Block{
		Attrs: map[string]*resource.Attr{
			"endpoint":     {Type: cty.String, Check: isEndpoint},
			"endpoints":    {Type: cty.List(cty.String), Check: areEndpoints},
			"token_id":     {Type: cty.String, Check: isTokenID},
			"token_secret": secret,
			"token_file":   text,
			"username":     text,
			"password":     secret,
			"fingerprint":  {Type: cty.String, Check: isFingerprint},
			"ca_file":      text,
			"insecure":     {Type: cty.Bool},
			"vmid_range":   {Type: cty.String, Check: isRange},
		},
		Blocks: map[string]*resource.Nested{
			"defaults": {Block: resource.Block{Attrs: defaults}},
			"limits":   {Block: resource.Block{Attrs: map[string]*resource.Attr{"parallel": number, "per_node": number, "per_storage": number}}},
			"ssh":      {Block: resource.Block{Attrs: map[string]*resource.Attr{"user": text, "key_file": text, "port": number}}},
		},
	}
}

// collectDefaults finds what a block's attributes ask a host for.
func collectDefaults(b *resource.Block, into map[string]*resource.Attr) {
	for _, name := range b.AttrNames() {
		if a := b.Attrs[name]; a.HostDefault != "" && into[a.HostDefault] == nil {
			into[a.HostDefault] = &resource.Attr{Doc: a.Doc, Type: a.Type, Unit: a.Unit, Check: a.Check, Sensitive: a.Sensitive}
		}
	}
	for _, name := range b.BlockNames() {
		collectDefaults(&b.Blocks[name].Block, into)
	}
}

func (w *world) compileHost(h *hostBlock) {
	h.schema = w.hostSchema()
	content := w.content(h.source.Body, h.schema, "host", nil, nil)
	h.body = w.compileBody(content, h.schema, names{where: fmt.Sprintf("host %q", h.name)}, nil)
}

// evaluateHost reads a host block; the environment wins over what is written.
func (w *world) evaluateHost(h *hostBlock) *Host {
	d := &decoder{session: w.now, what: fmt.Sprintf("host %q", h.name)}
	v := d.block(h.schema, h.body, nil)
	w.say(d.problems...)
	host := &Host{Name: h.name, Source: h.at, Range: resource.IDRange{Low: firstID, High: lastID}, Defaults: map[string]cty.Value{}}
	if !v.IsWhollyKnown() {
		if !w.problems.HasErrors() {
			w.say(diag.Errorf(&h.at, "host is not known", "host %q depends on what only an apply tells", h.name))
		}
		return host
	}
	w.warnOfClearText(h, v)
	if defaults := v.GetAttr("defaults"); !defaults.IsNull() {
		host.Defaults = defaults.AsValueMap()
	}
	v, _ = v.UnmarkDeep()
	read := func(name string) string {
		key := "PROXIMITY_HOST_" + strings.ToUpper(strings.ReplaceAll(h.name, "-", "_")+"_"+name)
		if text, ok := w.o.LookupEnv(key); ok {
			return text
		}
		return resource.Text(v, name)
	}
	host.TokenID, host.TokenSecret = read("token_id"), Secret{read("token_secret")}
	host.Username, host.Password = read("username"), Secret{read("password")}
	host.Fingerprint, host.CAFile = read("fingerprint"), read("ca_file")
	if insecure := v.GetAttr("insecure"); !insecure.IsNull() {
		host.Insecure = insecure.True()
	}
	if low, high, ok := parseRange(resource.Text(v, "vmid_range")); ok {
		host.Range = resource.IDRange{Low: low, High: high}
	}
	host.Endpoints = endpoints(v, read("endpoint"))
	host.Limits = Limits{whole(v, "limits", "parallel"), whole(v, "limits", "per_node"), whole(v, "limits", "per_storage")}
	if ssh := v.GetAttr("ssh"); !ssh.IsNull() {
		host.SSH = &SSH{User: resource.Text(ssh, "user"), KeyFile: resource.Text(ssh, "key_file"), Port: whole(v, "ssh", "port")}
	}
	w.readToken(h, host, read("token_file"))
	w.checkHost(h, host)
	return host
}

func endpoints(v cty.Value, one string) []string {
	var all []string
	if one != "" {
		all = append(all, one)
	}
	if list := v.GetAttr("endpoints"); !list.IsNull() && list.LengthInt() > 0 {
		for _, e := range list.AsValueSlice() {
			all = append(all, e.AsString())
		}
	}
	return all
}

// whole returns a number of a block of v, or 0.
func whole(v cty.Value, block, name string) int {
	n := resource.Attribute(v.GetAttr(block), name)
	if n.IsNull() {
		return 0
	}
	i, _ := n.AsBigFloat().Int64()
	return int(i)
}

// warnOfClearText warns of secrets that stand in a file. What comes from the
// environment or a sensitive variable carries a mark of its own, but so does
// every sensitive attribute; hence the look at how it is written.
func (w *world) warnOfClearText(h *hostBlock, v cty.Value) {
	for _, name := range []string{"token_secret", "password"} {
		written := h.body.attrs[name]
		if written == nil || v.GetAttr(name).IsNull() {
			continue
		}
		if _, problems := written.expr.Value(nil); !problems.HasErrors() {
			w.say(diag.Warningf(&written.at, "secret in clear text", "the %s of host %q stands in the file", name, h.name).
				WithHint("%s = env(\"PVE_SECRET\")   # or leave it out and set PROXIMITY_HOST_%s_%s", name,
					strings.ToUpper(strings.ReplaceAll(h.name, "-", "_")), strings.ToUpper(name)))
		}
	}
}

// readToken takes the token's secret from a file that only its owner can
// read. A relative name is one of the configuration's directory.
func (w *world) readToken(h *hostBlock, host *Host, name string) {
	if name == "" {
		return
	}
	at := h.at
	if written := h.body.attrs["token_file"]; written != nil {
		at = written.at
	}
	path := w.pathOf(name)
	content, err := w.o.ReadFile(path)
	if err != nil {
		w.say(diag.Errorf(&at, "cannot read the token's file", "%q: %s", path, plainCause(err)))
		return
	}
	w.warnOfOthers(path, "token file", &at)
	if !host.TokenSecret.Empty() {
		w.say(diag.Errorf(&at, "token_secret and token_file together", "host %q can have only one of them", h.name).
			WithHint("remove token_file"))
	}
	host.TokenSecret = Secret{strings.TrimSpace(string(content))}
}

// checkHost checks what attributes mean together.
func (w *world) checkHost(h *hostBlock, host *Host) {
	fail := func(summary, detail, hint string) {
		w.say(diag.Errorf(&h.at, summary, "host %q %s", h.name, detail).WithHint("%s", hint))
	}
	if len(host.Endpoints) == 0 {
		fail("endpoint is required", "does not say where it is", `endpoint = "https://pve.example.net:8006"`)
	}
	if !host.TokenSecret.Empty() && !host.Password.Empty() {
		fail("two ways to log in", "has a token and a password", "remove password")
	}
	if host.Insecure {
		at := h.at
		if written := h.body.attrs["insecure"]; written != nil {
			at = written.at
		}
		w.say(diag.Warningf(&at, "certificate is not checked", "anybody between here and host %q can read and change everything", h.name).
			WithHint(`fingerprint = "…"   # pvenode cert info`))
	}
}

func isEndpoint(v cty.Value) string {
	text := v.AsString()
	u, err := url.Parse(text)
	switch {
	case strings.HasPrefix(text, "sim:"):
		return ""
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return fmt.Sprintf("%q is no URL; write \"https://%s:8006\"", text, strings.TrimSuffix(text, ":8006"))
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Sprintf("%q: https:// and a name are needed, or sim:", text)
	case u.User != nil:
		return "a URL with a password in it would be shown; use username and password"
	}
	return ""
}

func areEndpoints(v cty.Value) string {
	for _, e := range v.AsValueSlice() {
		if why := isEndpoint(e); why != "" {
			return why
		}
	}
	return ""
}

func isTokenID(v cty.Value) string {
	user, token, found := strings.Cut(v.AsString(), "!")
	if found && strings.Contains(user, "@") && token != "" {
		return ""
	}
	return fmt.Sprintf("%q is not a token's id such as \"proximity@pve!cli\"", v.AsString())
}

func isFingerprint(v cty.Value) string {
	parts := strings.Split(v.AsString(), ":")
	for _, part := range parts {
		if _, err := strconv.ParseUint(part, 16, 8); err != nil || len(part) != 2 {
			parts = nil
		}
	}
	if len(parts) == 32 {
		return ""
	}
	return "a SHA-256 fingerprint is 32 pairs of hexadecimal digits with colons between, as pvenode cert info shows it"
}

func isRange(v cty.Value) string {
	if _, _, ok := parseRange(v.AsString()); ok {
		return ""
	}
	return fmt.Sprintf("%q is not a range of VMIDs from 100 to 999999999 such as \"2000-2999\"", v.AsString())
}

// parseRange reads "2000-2999". Proxmox has VMIDs from 100 to 999999999.
func parseRange(text string) (low, high int, ok bool) {
	from, to, found := strings.Cut(text, "-")
	low, errLow := strconv.Atoi(strings.TrimSpace(from))
	high, errHigh := strconv.Atoi(strings.TrimSpace(to))
	ok = found && errLow == nil && errHigh == nil && low >= 100 && high >= low && high <= 999_999_999
	return low, high, ok
}

func wholeFrom(low int64) func(cty.Value) string {
	return func(v cty.Value) string {
		if n, _ := v.AsBigFloat().Int64(); v.AsBigFloat().IsInt() && n >= low {
			return ""
		}
		return fmt.Sprintf("a whole number of at least %d is needed", low)
	}
}
