package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 10 * time.Second
	// readTimeout is for reads of a whole state over a slow line; a server that
	// has gone is noticed by the keepalives.
	readTimeout = 5 * time.Minute
	idleTime    = time.Minute
	// connections are for one lock and some reads beside it.
	connections = 4
)

// keepalive lets a peer that vanished while an answer is waited for be noticed
// within a dozen seconds.
var keepalive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// poolConfig reads the settings of a connection. The library's own errors
// quote them, passwords included where it does not recognize these, and are
// not passed on.
func poolConfig(text string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, unusable(err)
	}
	config.MaxConns, config.MinConns, config.MinIdleConns = connections, 0, 0
	config.MaxConnIdleTime, config.PingTimeout = idleTime, connectTimeout
	c := config.ConnConfig
	c.DefaultQueryExecMode, c.StatementCacheCapacity = pgx.QueryExecModeCacheStatement, 64 // a url may say otherwise, for poolers
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if c.ValidateConnect == nil {
		// A standby lags: what it answers may be older than what was saved.
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	c.DialFunc = (&net.Dialer{KeepAliveConfig: keepalive}).DialContext
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "proximity"
	}
	return config, nil
}

// unusable tells why the settings of a connection cannot be used: of a file
// that cannot be read its name, of anything else nothing.
func unusable(err error) error {
	p := &problem{where: "postgres", what: "url: it is neither a URL nor of the form key=value", hint: urlHint}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		p.what, p.cause, p.hint = "url: a file that it names", file, ""
	}
	return p
}

// prepare makes a new connection fit for a lock: the settings of server, role
// and database are not to weaken what a lock and a commit promise. What an
// older server does not know is left out.
func (s *Store) prepare(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	if err := conn.QueryRow(ctx, `select pg_backend_pid()`).Scan(&pid); err != nil {
		return err
	}
	if pid != conn.PgConn().PID() {
		return errPooler
	}
	_, err := conn.Exec(ctx, `select set_config(set.name, set.value, false)
		from (values
			('synchronous_commit', 'on'),
			('default_transaction_isolation', 'read committed'),
			('idle_session_timeout', '0'),
			('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'),
			('tcp_user_timeout', '10000')
		) as set(name, value)
		join pg_settings now on now.name = set.name
		where now.setting <> 'remote_apply'`)
	return err
}

// insist does something that may be repeated until it is done, its error is no
// passing trouble of the connection, or half of the patience is over: a server
// that is being restarted takes a few seconds, and a wrong port is one for ever.
func (s *Store) insist(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do(ctx)
		if err != nil && !passing(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(s.patience/2))
	return err
}

// passing reports whether the same may succeed a moment later: the server is
// being restarted, or the network was away.
func passing(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pe.Code {
		case "57P01", "57P02", "57P03", "53300": // it stops, crashed, starts, has no connection left
			return true
		}
		return pe.Code[:2] == "08"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound || ofTLS(err) || errors.Is(err, context.Canceled) {
		return false
	}
	_, ofNetwork := errors.AsType[net.Error](err)
	return ofNetwork || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed)
}

// ofTLS reports whether client and server do not trust each other.
func ofTLS(err error) bool {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return unverified || unknown || alert || plain
}
