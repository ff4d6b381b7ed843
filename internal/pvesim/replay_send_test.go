package pvesim_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

var placeholder = regexp.MustCompile(`\$\{(\w+)\}|<(secret|password|ticket|csrf):?([^>]*)>`)

// fill puts values for the placeholders of a recording.
func (p *player) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		parts := placeholder.FindStringSubmatch(m)
		switch {
		case parts[1] != "":
			return p.vars[parts[1]]
		case parts[2] == "password" && parts[3] == "root@pam":
			return "proximity"
		case parts[2] == "password":
			return "password-of-" + parts[3]
		case parts[2] == "secret":
			return p.secrets[parts[3]]
		case parts[2] == "ticket":
			return p.login(parts[3])[0]
		default:
			return p.login("root@pam")[1]
		}
	})
}

// send sends one request.
func (p *player) send(r recordedRequest) recordedResponse {
	p.t.Helper()
	body, contentType := p.body(r)
	target := "https://pve1:8006/api2/json" + (&url.URL{Path: p.fill(r.Path)}).EscapedPath()
	if strings.HasPrefix(p.fill(r.Path), "//") || strings.Contains(r.Path, "%") {
		target = "https://pve1:8006/api2/json" + p.fill(r.Path)
	}
	if q := p.query(r.Query); q != "" {
		target += "?" + q
	}
	request, err := http.NewRequest(r.Method, target, body)
	require.NoError(p.t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range r.Headers {
		request.Header.Set(name, p.fill(value))
	}
	p.authorise(request, r.Auth)
	return p.receive(request)
}

func (p *player) receive(request *http.Request) recordedResponse {
	p.t.Helper()
	response, err := p.sim.Transport().RoundTrip(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	got := recordedResponse{Status: response.StatusCode, Reason: strings.TrimPrefix(response.Status, fmt.Sprintf("%d ", response.StatusCode))}
	if kind := response.Header.Get("Content-Type"); kind != "" {
		got.ContentType = &kind
	}
	if json.Unmarshal(text, &got.Body) != nil {
		got.Body = string(text)
	}
	return got
}

// body is the body of a request, nil for none.
func (p *player) body(r recordedRequest) (io.Reader, string) {
	switch {
	case r.Raw != nil:
		text := r.Raw.Text
		if len(r.Raw.Repeat) == 2 {
			text += strings.Repeat(r.Raw.Repeat[0].(string), int(r.Raw.Repeat[1].(float64)))
		}
		kind := ""
		if r.Raw.ContentType != nil {
			kind = *r.Raw.ContentType
		}
		return strings.NewReader(p.fill(text)), kind
	case r.JSON != nil:
		text, err := json.Marshal(r.JSON)
		require.NoError(p.t, err)
		return strings.NewReader(p.fill(string(text))), "application/json"
	case r.Multipart != nil:
		return p.multipart(r)
	case r.Form != nil:
		return strings.NewReader(p.encode(r.Form)), "application/x-www-form-urlencoded"
	}
	return nil, ""
}

func (p *player) multipart(r recordedRequest) (io.Reader, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range r.Multipart {
		if f.Filename == nil {
			require.NoError(p.t, w.WriteField(f.Name, f.Value))
			continue
		}
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, f.Name, *f.Filename))
		header.Set("Content-Type", "application/octet-stream")
		part, err := w.CreatePart(header)
		require.NoError(p.t, err)
		content, err := base64.StdEncoding.DecodeString(f.Content)
		require.NoError(p.t, err)
		_, err = part.Write(content)
		require.NoError(p.t, err)
	}
	require.NoError(p.t, w.Close())
	return &b, w.FormDataContentType()
}

func (p *player) query(q any) string {
	switch q := q.(type) {
	case string:
		return p.fill(q)
	case map[string]any:
		return p.encode(q)
	}
	return ""
}

func (p *player) encode(form map[string]any) string {
	values := url.Values{}
	for key, value := range form {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				values.Add(key, p.fill(scalar(v)))
			}
		default:
			values.Set(key, p.fill(scalar(value)))
		}
	}
	return values.Encode()
}

func scalar(v any) string {
	if n, ok := v.(float64); ok {
		return fmt.Sprintf("%.12g", n)
	}
	return fmt.Sprint(v)
}

// authorise adds what a request authenticates itself with.
func (p *player) authorise(request *http.Request, auth string) {
	kind, who, _ := strings.Cut(auth, ":")
	if who == "" && kind != "token" {
		who = "root@pam"
	}
	switch kind {
	case "token":
		if who == "" {
			who, _ = p.sim.Token()
		}
		request.Header.Set("Authorization", "PVEAPIToken="+who+"="+p.secrets[who])
	case "ticket", "cookie":
		pair := p.login(who)
		request.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: url.QueryEscape(pair[0])})
		if kind == "ticket" && request.Method != http.MethodGet {
			request.Header.Set("CSRFPreventionToken", pair[1])
		}
	}
}

// login returns ticket and CSRF token of a user.
func (p *player) login(who string) [2]string {
	if pair, ok := p.tickets[who]; ok {
		return pair
	}
	got := p.send(recordedRequest{
		Method: "POST", Path: "/access/ticket", Auth: "none",
		Form: map[string]any{"username": who, "password": "<password:" + who + ">"},
	})
	var pair [2]string
	pair[0], _ = lookup(got.Body, []any{"data", "ticket"}).(string)
	pair[1], _ = lookup(got.Body, []any{"data", "CSRFPreventionToken"}).(string)
	if pair[0] != "" {
		p.tickets[who] = pair
	}
	return pair
}
