package s3server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	maxSkew    = 15 * time.Minute
)

// authorization is what the header of that name says.
type authorization struct {
	accessKey, date, region, service string
	signedHeaders                    []string
	signature                        string
}

func parseAuthorization(text string) (a authorization, ok bool) {
	fields, ok := strings.CutPrefix(text, algorithm+" ")
	if !ok {
		return a, false
	}
	values := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		values[name] = value
	}
	scope := strings.Split(values["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || values["SignedHeaders"] == "" {
		return a, false
	}
	return authorization{
		accessKey: scope[0], date: scope[1], region: scope[2], service: scope[3],
		signedHeaders: strings.Split(values["SignedHeaders"], ";"), signature: values["Signature"],
	}, true
}

// verify refuses a request that is not signed with the keys of the store, for
// its region and for now, by Signature Version 4.
func (s *Server) verify(r *http.Request) *refusal {
	a, ok := parseAuthorization(r.Header.Get("Authorization"))
	at, err := time.Parse(timeFormat, r.Header.Get("X-Amz-Date"))
	switch {
	case !ok || err != nil || a.service != "s3" || a.date != at.Format("20060102"):
		return &refusal{http.StatusForbidden, "AccessDenied", "Access Denied", ""}
	case a.accessKey != s.AccessKey:
		return &refusal{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", ""}
	case time.Since(at).Abs() > maxSkew:
		return &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", ""}
	case a.region != s.Region:
		text := fmt.Sprintf("The authorization header is malformed; the region '%s' is wrong; expecting '%s'", a.region, s.Region)
		return &refusal{http.StatusBadRequest, "AuthorizationHeaderMalformed", text, s.Region}
	}
	for name := range r.Header {
		mustSign := name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-")
		if mustSign && !slices.Contains(a.signedHeaders, strings.ToLower(name)) {
			return &refusal{http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed", ""}
		}
	}
	want := hex.EncodeToString(mac(s.signingKey(a), stringToSign(a, r)))
	if !slices.Contains(a.signedHeaders, "host") || subtle.ConstantTimeCompare([]byte(want), []byte(a.signature)) != 1 {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", ""}
	}
	return nil
}

func (s *Server) signingKey(a authorization) []byte {
	key := []byte("AWS4" + s.SecretKey)
	for _, part := range []string{a.date, a.region, a.service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text) // never fails
	return h.Sum(nil)
}

func stringToSign(a authorization, r *http.Request) string {
	var headers strings.Builder
	for _, name := range a.signedHeaders {
		fmt.Fprintf(&headers, "%s:%s\n", name, headerValue(r, name))
	}
	request := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers.String(),
		strings.Join(a.signedHeaders, ";"), r.Header.Get("X-Amz-Content-Sha256"),
	}, "\n")
	scope := strings.Join([]string{a.date, a.region, a.service, "aws4_request"}, "/")
	return strings.Join([]string{algorithm, r.Header.Get("X-Amz-Date"), scope, sum([]byte(request))}, "\n")
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return fmt.Sprint(r.ContentLength)
	}
	var values []string
	for _, value := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(values, ",")
}

// canonicalQuery escapes as the signature wants it: a blank is %20.
func canonicalQuery(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }

func sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// verifyBody refuses a body that is not the one whose hash was signed, or that
// ends before its length.
func verifyBody(r *http.Request) *refusal {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return &refusal{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.", ""}
	}
	if signed := r.Header.Get("X-Amz-Content-Sha256"); signed != "UNSIGNED-PAYLOAD" && signed != sum(body) {
		return &refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", ""}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
