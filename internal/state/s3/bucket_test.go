package s3_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	aws "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// bucket is what others see and do.
type bucket struct {
	t      *testing.T
	client *aws.Client
	name   string
}

func bucketOf(t *testing.T, server *s3server.Server) bucket {
	return bucket{t, aws.New(aws.Options{
		BaseEndpoint: &server.Endpoint, UsePathStyle: true, Region: server.Region,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, ""),
	}), server.Bucket}
}

func (b bucket) put(key string, data []byte) {
	b.t.Helper()
	_, err := b.client.PutObject(b.t.Context(), &aws.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(data)})
	require.NoError(b.t, err)
}

func (b bucket) data(key string) []byte {
	b.t.Helper()
	out, err := b.client.GetObject(b.t.Context(), &aws.GetObjectInput{Bucket: &b.name, Key: &key})
	require.NoError(b.t, err)
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	require.NoError(b.t, err)
	return data
}

func (b bucket) remove(key string) {
	b.t.Helper()
	_, err := b.client.DeleteObject(b.t.Context(), &aws.DeleteObjectInput{Bucket: &b.name, Key: &key})
	require.NoError(b.t, err)
}

// keys lists all objects whose keys hold a text, in order.
func (b bucket) keys(text string) []string {
	b.t.Helper()
	out, err := b.client.ListObjectsV2(b.t.Context(), &aws.ListObjectsV2Input{Bucket: &b.name})
	require.NoError(b.t, err)
	require.False(b.t, *out.IsTruncated)
	var keys []string
	for _, o := range out.Contents {
		if strings.Contains(*o.Key, text) {
			keys = append(keys, *o.Key)
		}
	}
	slices.Sort(keys)
	return keys
}
