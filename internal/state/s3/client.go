package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// tuning is how long things may take, and how connections are made.
type tuning struct {
	poll  time.Duration // between two looks whether a lock is still ours
	stall time.Duration // without a byte going either way: the network is lost
	tries int           // of one request
	pause time.Duration // between two tries, at most; it grows
	dial  dialer
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newClient returns a client for a configuration that was checked, and what
// tells where its keys come from.
func newClient(c Config, t tuning) (*s3.Client, *keys, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, nil, err
	}
	over := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.DialContext = t.connect
		transport.TLSClientConfig.RootCAs = roots
	})
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(over),
		config.WithLogger(logging.Nop{}), // it would write to stderr
		config.WithRetryer(func() aws.Retryer { return retryer(t) }),
		// The head holds a checksum of all that it names. Those of the SDK are
		// sent in a way that not all stores understand.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithRegion(c.Region),
		config.WithSharedConfigProfile(c.Profile),
	}
	if c.AccessKey != "" {
		given := credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.Token)
		options = append(options, config.WithCredentialsProvider(given))
	}
	loaded, err := config.LoadDefaultConfig(context.Background(), options...)
	if err != nil {
		return nil, nil, c.misconfigured(err)
	}
	if loaded.Region == "" && c.Endpoint == "" {
		return nil, nil, &problem{text: "state: s3: neither the state block nor the environment says the region", hint: `region = "eu-central-1"`}
	} else if loaded.Region == "" {
		loaded.Region = "us-east-1" // what stores take that have no regions
	}
	k := &keys{from: loaded.Credentials}
	loaded.Credentials = k
	return s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.isPathStyle()
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
	}), k, nil
}

// misconfigured is the error about what the SDK was told elsewhere.
func (c Config) misconfigured(err error) error {
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return &problem{
			text: fmt.Sprintf("state: s3: there is no profile %q", missing.Profile),
			hint: "aws configure --profile " + missing.Profile, cause: err,
		}
	}
	return &problem{text: "state: s3: the configuration of the SDK, in its files and the environment, is not in order", hint: "aws configure list", cause: err}
}

// roots returns the certificates to trust; nil: those of the system.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("state: s3: ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there is none: those of the file are all
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, &problem{text: fmt.Sprintf("state: s3: ca_file: %s holds no certificate in PEM form", c.CAFile)}
	}
	return pool, nil
}

// retryer repeats what may be repeated: reads, and writes whose effect is the
// same the second time or whose condition is not met then.
func retryer(t tuning) aws.Retryer {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = t.tries, t.pause
		o.RateLimiter = ratelimit.None // tries are bounded, and an outage may be long
	})
	return retry.AddWithErrorCodes(standard, "ConditionalRequestConflict", "OperationAborted")
}

// connect opens a connection that is closed when nothing goes over it for too
// long: a request has no end otherwise when the network is lost, and how long
// one may take depends on its size.
func (t tuning) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := t.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watched{conn, t.stall}, nil
}

// watched is a connection that times out when it stalls. A write counts for
// the read that waits for its answer.
type watched struct {
	net.Conn
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

func (w *watched) Write(p []byte) (int, error) {
	if err := w.SetDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}
