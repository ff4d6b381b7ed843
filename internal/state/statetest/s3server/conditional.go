package s3server

import (
	"errors"
	"io"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// conditional is the backend with the one answer that differs from AWS.
type conditional struct{ *s3mem.Backend }

// PutObject answers If-Match for an object that is missing as AWS does, with
// 404. The backend checks conditions and writes under one lock; asking it again
// after it refused cannot let anything through.
func (c conditional) PutObject(bucket, key string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	result, err := c.Backend.PutObject(bucket, key, meta, input, size, conditions)
	var answer gofakes3.Error
	if conditions == nil || conditions.IfMatch == nil || !errors.As(err, &answer) || answer.ErrorCode() != gofakes3.ErrPreconditionFailed {
		return result, err
	}
	if _, missing := c.HeadObject(bucket, key); gofakes3.HasErrorCode(missing, gofakes3.ErrNoSuchKey) {
		return result, missing
	}
	return result, err
}
