//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

var errMissing = errors.New("PostgreSQL is not installed: neither is initdb on the PATH, nor below /usr/lib/postgresql; to install it, run: sh tests/postgres.sh")

// programs returns the directory that initdb and postgres are in. Debian keeps
// them off the PATH, by version.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 is the oldest
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// nobody is whom a server runs as when the tests run as root, which PostgreSQL
// refuses; otherwise nil.
func nobody() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// giveAway gives files to whom the server runs as.
func giveAway(paths ...string) error {
	who, err := nobody()
	if who == nil || err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// asNobody lets a command run as whom giveAway gives to, in a directory it may
// enter and without what is set here for PostgreSQL's clients.
func asNobody(cmd *exec.Cmd, dir string) {
	if who, err := nobody(); err == nil && who != nil { // giveAway came first and told the error
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}
