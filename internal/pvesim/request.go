package pvesim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// request is one call of the API, on its way to a handler.
type request struct {
	http   *http.Request
	verb   string
	path   string // below /api2/json
	format string // json or extjs
	raw    map[string]any
	parts  []part // of a multipart body, in the order sent

	method *schema.Method
	who    *identity
	node   string        // the node that the path names, with localhost resolved
	vmid   int           // of the path; 0: none
	params schema.Values // checked; the placeholders of the path among them
	waited bool          // the time that a handler waits for a lock is over

	maxBody int64  // in bytes, of anything but an upload
	spawned string // the task that a handler started before it waits
}

// part is a field of a multipart body, or its file.
type part struct {
	Name, Value string
	File        string // the name sent; "" for a field
	Size        int64
	SHA256      string
	Head        []byte // the first bytes of the file
	Content     []byte // all of the file when it is small
}

// maxBody is the size in bytes above which Proxmox takes no body, but for uploads.
func (s *Sim) maxBody() int64 {
	if s.has(largeBodies) {
		return 512 << 10
	}
	return 64 << 10
}

// read takes what the URL and the body say. Answers made here do not pass through the API's formatter.
func (c *request) read() *answer {
	text, isUpload, refused := c.body()
	if refused != nil {
		return refused
	}
	if !isUpload {
		if refused := c.decode(text); refused != nil {
			return refused
		}
	}
	query := map[string]any{}
	decodeForm(c.http.URL.RawQuery, query)
	maps.Copy(c.raw, query)
	delete(c.raw, "_dc")
	return nil
}

// body reads the body, uploads straight into c.parts.
func (c *request) body() (text []byte, isUpload bool, refused *answer) {
	if len(c.http.TransferEncoding) > 0 {
		return nil, false, refusal(http.StatusNotImplemented, "chunked transfer encoding not supported", "")
	}
	if c.http.ContentLength == 0 || c.http.Body == nil {
		return nil, false, nil
	}
	if c.verb == http.MethodGet || c.verb == http.MethodDelete {
		reason := fmt.Sprintf("Unexpected content for method '%s'", c.verb)
		return nil, false, refusal(http.StatusNotImplemented, reason, reason)
	}
	kind, options, err := mime.ParseMediaType(c.http.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		return nil, true, c.readParts(multipart.NewReader(c.http.Body, options["boundary"]))
	}
	text, err = io.ReadAll(io.LimitReader(c.http.Body, c.maxBody+1))
	switch {
	case err != nil:
		return nil, false, refusal(http.StatusBadRequest, "read body: "+err.Error(), "")
	case int64(len(text)) > c.maxBody:
		return nil, false, refusal(http.StatusNotImplemented, "for data too large", "for data too large")
	}
	return text, false, nil
}

// decode takes a body that is no upload.
func (c *request) decode(text []byte) *answer {
	full := c.http.Header.Get("Content-Type")
	kind, _, _ := strings.Cut(full, ";")
	switch {
	case len(text) == 0:
		return nil
	case kind == "" || kind == "application/x-www-form-urlencoded":
		decodeForm(string(text), c.raw)
		return nil
	case kind == "application/json":
		return c.decodeJSON(text)
	default:
		reason := fmt.Sprintf("upload 'Content-Type '%s' not implemented", full)
		return refusal(506, reason, reason)
	}
}

func (c *request) decodeJSON(text []byte) *answer {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	const server = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line %d.\n"
	if err := decoder.Decode(&value); err != nil {
		offset := 0
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = int(syntax.Offset) - 1
		}
		said := fmt.Sprintf("'\"' expected, at character offset %d (before \"%.20s\") "+server, offset,
			strings.TrimRight(string(text[offset:]), "}"), 934)
		return refusal(http.StatusInternalServerError, said, said)
	}
	object, ok := value.(map[string]any)
	if !ok {
		said := fmt.Sprintf("Not a HASH reference "+server, 978)
		return refusal(http.StatusInternalServerError, said, said)
	}
	maps.Copy(c.raw, object)
	return nil
}

// keptContent is how much of an uploaded file is kept in memory.
const keptContent = 4 << 20

// readParts reads an upload: fields before the file become parameters, the file itself is measured and thrown away.
func (c *request) readParts(reader *multipart.Reader) *answer {
	sawFile := false
	for {
		p, err := reader.NextPart()
		switch {
		case errors.Is(err, io.EOF) && !sawFile:
			said := "upload failed at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1370.\n"
			return refusal(http.StatusInternalServerError, said, said)
		case errors.Is(err, io.EOF):
			return nil
		}
		if err != nil {
			return refusal(http.StatusBadRequest, "read upload: "+err.Error(), "")
		}
		got := part{Name: p.FormName(), File: rawFileName(p)}
		sum := sha256.New()
		var head bytes.Buffer
		got.Size, err = io.Copy(io.MultiWriter(sum, limited{&head, keptContent}), p)
		if err != nil {
			return refusal(http.StatusBadRequest, "read upload: "+err.Error(), "")
		}
		got.SHA256 = hex.EncodeToString(sum.Sum(nil))
		got.Head = head.Bytes()[:min(head.Len(), 512)]
		if got.Size <= keptContent {
			got.Content = head.Bytes()
		}
		if got.File == "" {
			got.Value = head.String()
		}
		if got.File != "" {
			sawFile, c.raw["filename"] = true, got.File
		}
		c.parts = append(c.parts, got)
		if got.File == "" && !sawFile {
			c.raw[got.Name] = got.Value
		}
	}
}

// rawFileName is the file name as sent: FileName would cut directories off.
func rawFileName(p *multipart.Part) string {
	_, options, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return p.FileName()
	}
	return options["filename"]
}

// limited writes up to a size and swallows the rest.
type limited struct {
	to   *bytes.Buffer
	size int
}

func (l limited) Write(data []byte) (int, error) {
	if room := l.size - l.to.Len(); room > 0 {
		l.to.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

// int returns an integer parameter, 0 when absent.
func (c *request) int(name string) int { return c.params.Int(name, 0) }
