package s3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

func configOf(server *s3server.Server) s3.Config {
	return s3.Config{
		Bucket: server.Bucket, Endpoint: server.Endpoint, Region: server.Region,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey,
	}
}

// start returns a server and a store on it with nothing in it.
func start(t *testing.T) (*s3server.Server, *s3.Store) {
	server := s3server.Start(t)
	return server, on(t, server)
}

func on(t *testing.T, server *s3server.Server) *s3.Store {
	store, err := s3.Impatient(configOf(server))
	require.NoError(t, err)
	return store
}

func TestABucketConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store {
		_, store := start(t)
		return store
	})
}
