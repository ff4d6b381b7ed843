package s3server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// client is AWS's own.
func client(server *s3server.Server, with ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &server.Endpoint, UsePathStyle: true, Region: server.Region, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, ""),
	}, with...)
}

type object struct {
	client *s3.Client
	bucket string
	key    string
}

// put writes text under a condition and returns its entity tag.
func (o object) put(ctx context.Context, text, ifMatch, ifNoneMatch string) (string, error) {
	in := &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: strings.NewReader(text)}
	if ifMatch != "" {
		in.IfMatch = &ifMatch
	}
	if ifNoneMatch != "" {
		in.IfNoneMatch = &ifNoneMatch
	}
	out, err := o.client.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ETag, nil
}

func (o object) text(t *testing.T) string {
	t.Helper()
	out, err := o.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
	require.NoError(t, err)
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(data)
}

// requireRefused expects an answer with that status and code.
func requireRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var answer *awshttp.ResponseError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, status, answer.HTTPStatusCode(), err)
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode())
}

func TestConditionsOfAWrite(t *testing.T) {
	server := s3server.Start(t)
	o := object{client(server), server.Bucket, "dir/key with blank+plus"}
	_, err := o.put(t.Context(), "x", `"0123456789abcdef0123456789abcdef"`, "")
	requireRefused(t, err, http.StatusNotFound, "NoSuchKey")

	first, err := o.put(t.Context(), "first", "", "*")
	require.NoError(t, err)
	_, err = o.put(t.Context(), "again", "", "*")
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
	require.Equal(t, "first", o.text(t))

	second, err := o.put(t.Context(), "second", first, "")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	_, err = o.put(t.Context(), "late", first, "")
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
	require.Equal(t, "second", o.text(t))
}

// TestOneOfManyConditionalWritesWins lets a crowd replace one version of an
// object, again and again.
func TestOneOfManyConditionalWritesWins(t *testing.T) {
	server := s3server.Start(t)
	o := object{client(server), server.Bucket, "key"}
	tag, noTag := "", "*"
	for round := range 20 {
		var won atomic.Int64
		var next atomic.Value
		var crowd sync.WaitGroup
		for i := range 20 {
			crowd.Go(func() {
				text := fmt.Sprintf("round %d writer %d", round, i)
				written, err := o.put(t.Context(), text, tag, noTag)
				var api smithy.APIError
				switch {
				case err == nil:
					won.Add(1)
					next.Store([2]string{written, text})
				case !errors.As(err, &api) || api.ErrorCode() != "PreconditionFailed":
					t.Error(err)
				}
			})
		}
		crowd.Wait()
		require.EqualValues(t, 1, won.Load(), "round %d", round)
		winner := next.Load().([2]string)
		require.Equal(t, winner[1], o.text(t))
		tag, noTag = winner[0], ""
	}
}

func TestAReadSeesTheLastWriteAtOnce(t *testing.T) {
	server := s3server.Start(t)
	o := object{client(server), server.Bucket, "key"}
	for i := range 50 {
		_, err := o.put(t.Context(), fmt.Sprint(i), "", "")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), o.text(t))
	}
	_, err := o.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &o.bucket, Key: &o.key})
	require.NoError(t, err)
	_, err = o.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
	requireRefused(t, err, http.StatusNotFound, "NoSuchKey")
}

func TestListingsAreByPrefixAndLimited(t *testing.T) {
	server := s3server.Start(t)
	c := client(server)
	for _, key := range []string{"a", "dir/1", "dir/2", "dir/3", "e"} {
		_, err := object{c, server.Bucket, key}.put(t.Context(), "x", "", "")
		require.NoError(t, err)
	}
	for limit, want := range map[int32]int{2: 2, 10: 3} {
		out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &server.Bucket, Prefix: aws.String("dir/"), MaxKeys: &limit})
		require.NoError(t, err)
		require.Len(t, out.Contents, want)
		require.Equal(t, "dir/1", *out.Contents[0].Key)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	server := s3server.Start(t)
	keys := func(access, secret string) func(*s3.Options) {
		return func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(access, secret, "") }
	}
	for _, c := range []struct {
		name   string
		with   func(*s3.Options)
		bucket string
		status int
		code   string
	}{
		{"a wrong secret key", keys(server.AccessKey, "wrong"), server.Bucket, 403, "SignatureDoesNotMatch"},
		{"an unknown access key", keys("UNKNOWN", server.SecretKey), server.Bucket, 403, "InvalidAccessKeyId"},
		{"nobody", func(o *s3.Options) { o.Credentials = aws.AnonymousCredentials{} }, server.Bucket, 403, "AccessDenied"},
		{"another region", func(o *s3.Options) { o.Region = "eu-north-1" }, server.Bucket, 400, "AuthorizationHeaderMalformed"},
		{"another bucket", func(*s3.Options) {}, "other", 404, "NoSuchBucket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := object{client(server, c.with), c.bucket, "key"}.put(t.Context(), "x", "", "")
			requireRefused(t, err, c.status, c.code)
		})
	}
}

// signed returns a request to put a body, signed for a time.
func signed(t *testing.T, server *s3server.Server, at time.Time, body string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.Endpoint+"/"+server.Bucket+"/key", strings.NewReader(body))
	require.NoError(t, err)
	const hashOfX = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	r.Header.Set("X-Amz-Content-Sha256", hashOfX)
	r.Header.Set("If-None-Match", "*")
	keys := aws.Credentials{AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), keys, r, hashOfX, "s3", server.Region, at))
	return r
}

func TestASignatureIsForOneRequestAndItsTime(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Duration
		body string
		then func(*http.Request)
		want string
	}{
		{"as it was signed", 0, "x", func(*http.Request) {}, ""},
		{"another object", 0, "x", func(r *http.Request) { r.URL.Path += "2" }, "SignatureDoesNotMatch"},
		{"another condition", 0, "x", func(r *http.Request) { r.Header.Set("If-None-Match", "y") }, "SignatureDoesNotMatch"},
		{"another query", 0, "x", func(r *http.Request) { r.URL.RawQuery = "acl" }, "SignatureDoesNotMatch"},
		{"a header that was added", 0, "x", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "AccessDenied"},
		{"another body", 0, "y", func(*http.Request) {}, "XAmzContentSHA256Mismatch"},
		{"an hour ago", -time.Hour, "x", func(*http.Request) {}, "RequestTimeTooSkewed"},
		{"in an hour", time.Hour, "x", func(*http.Request) {}, "RequestTimeTooSkewed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := s3server.Start(t)
			r := signed(t, server, time.Now().Add(c.at), c.body)
			c.then(r)
			answer, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			if c.want == "" {
				require.Equal(t, http.StatusOK, answer.StatusCode, string(text))
				return
			}
			require.Contains(t, string(text), "<Code>"+c.want+"</Code>")
		})
	}
}

func TestBucketsMayBeHostNames(t *testing.T) {
	server := s3server.Start(t)
	var asked atomic.Value
	c := client(server, func(o *s3.Options) {
		o.UsePathStyle, o.BaseEndpoint = false, aws.String("http://"+server.Host())
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				asked.Store(address)
				return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(server.Endpoint, "http://"))
			}
		})
	})
	_, err := object{c, server.Bucket, "key"}.put(t.Context(), "text", "", "")
	require.NoError(t, err)
	require.Equal(t, server.Bucket+"."+server.Host()+":80", asked.Load())
	require.Equal(t, "text", object{client(server), server.Bucket, "key"}.text(t), "it is the same bucket")
}

func TestATestComesBetween(t *testing.T) {
	server := s3server.Start(t)
	o := object{client(server), server.Bucket, "key"}
	server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s3server.Error(w, r, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	})
	_, err := o.put(t.Context(), "x", "", "")
	requireRefused(t, err, http.StatusServiceUnavailable, "SlowDown")
	server.Between(nil)
	big := string(bytes.Repeat([]byte("0123456789abcdef"), 1<<20))
	_, err = o.put(t.Context(), big, "", "")
	require.NoError(t, err)
	require.True(t, big == o.text(t))
}
