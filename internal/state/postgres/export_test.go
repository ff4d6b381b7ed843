package postgres

import (
	"context"
	"time"
)

// Impatient lets a test not wait long for a server that is not there.
func (s *Store) Impatient() *Store {
	s.patience = 300 * time.Millisecond
	return s
}

// Setting asks a connection of the store for a setting of its session.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.pool.QueryRow(ctx, "select current_setting($1)", name).Scan(&value)
	return value, err
}
