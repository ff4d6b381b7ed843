package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/cenkalti/backoff/v5"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// dir is what the keys of all objects beside the head begin with.
func (s *Store) dir() string { return s.config.Key + ".d/" }

// keep writes data under a name of its own that begins with kind.
func (s *Store) keep(ctx context.Context, kind string, data []byte) (object, error) {
	o := object{Name: kind + "-" + unique(), Size: int64(len(data)), Sum: sum(data)}
	err := failpoint.Around("state/s3: write an object beside the head", func() error {
		_, err := s.put(ctx, s.dir()+o.Name, data, always)
		return err
	})
	return o, err
}

// condition is that of a write: always, absent, or the entity tag that the
// object must still have.
type condition string

const (
	always condition = ""
	absent condition = "*"
)

// put writes an object and returns its entity tag.
func (s *Store) put(ctx context.Context, key string, data []byte, on condition) (string, error) {
	in := &s3.PutObjectInput{
		Bucket: &s.config.Bucket, Key: &key, Body: bytes.NewReader(data),
		ContentType: aws.String("application/octet-stream"),
	}
	if key == s.config.Key {
		in.ContentType = aws.String("application/json")
	}
	switch on {
	case always:
	case absent:
		in.IfNoneMatch = aws.String(string(absent))
	default:
		in.IfMatch = aws.String(string(on))
	}
	in.ServerSideEncryption = types.ServerSideEncryption(s.config.SSE)
	if s.config.KMSKeyID != "" {
		in.SSEKMSKeyId = &s.config.KMSKeyID
	}
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return "", s.explain(err)
	}
	return aws.ToString(out.ETag), nil
}

// errAbsent is the error of a read when there is no such object.
var errAbsent = errors.New("there is no such object")

// get reads an object of limit bytes at most, and returns one byte more of a
// larger one. A transfer that is cut off is begun anew.
func (s *Store) get(ctx context.Context, key string, limit int64) (data []byte, tag string, err error) {
	data, err = backoff.Retry(ctx, func() ([]byte, error) {
		out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key})
		if code(err) == "NoSuchKey" {
			return nil, backoff.Permanent(errAbsent)
		} else if err != nil {
			return nil, backoff.Permanent(s.explain(err)) // the SDK has retried already
		}
		defer out.Body.Close()
		tag = aws.ToString(out.ETag)
		data, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
		return data, s.explain(err)
	}, s.pauses(), backoff.WithMaxTries(readTries))
	return data, tag, err
}

const readTries = 4

// pauses are those between the tries of what the SDK does not repeat.
func (s *Store) pauses() backoff.RetryOption {
	growing := backoff.NewExponentialBackOff()
	growing.InitialInterval, growing.MaxInterval = min(growing.InitialInterval, s.tuning.pause), s.tuning.pause
	return backoff.WithBackOff(growing)
}

// missing is the damage that a named object is gone. Of a head that is no
// longer the present one it is none.
type missing struct{ damage *state.ErrDamaged }

func (e missing) Error() string { return e.damage.Error() }
func (e missing) Unwrap() error { return e.damage }

// fetch reads an object that a head names. The error is *state.ErrDamaged
// when it is not what was written.
func (s *Store) fetch(ctx context.Context, o object, what string) ([]byte, error) {
	data, _, err := s.get(ctx, s.dir()+o.Name, o.Size)
	switch {
	case errors.Is(err, errAbsent):
		return nil, missing{s.damaged(what, "the object %s is gone", s.dir()+o.Name)}
	case err != nil:
		return nil, err
	case sum(data) != o.Sum:
		return nil, s.damaged(what, "the object %s is not as it was written", s.dir()+o.Name)
	}
	return data, nil
}

// drop removes objects. What it cannot remove, a later sweep does.
func (s *Store) drop(ctx context.Context, names []string) {
	for _, name := range names {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.config.Bucket, Key: aws.String(s.dir() + name)})
		if err != nil {
			return
		}
	}
}

// names lists objects beside the head whose names begin with a prefix.
func (s *Store) names(ctx context.Context, prefix string, limit int32) ([]string, error) {
	out, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &s.config.Bucket, Prefix: aws.String(s.dir() + prefix), MaxKeys: &limit,
	})
	if err != nil {
		return nil, s.explain(err)
	}
	var names []string
	for _, o := range out.Contents {
		names = append(names, strings.TrimPrefix(aws.ToString(o.Key), s.dir()))
	}
	return names, nil
}
